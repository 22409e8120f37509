"""Floor 2: the engine. Pure functions from flow, run, event, outcome and facts to what happens next."""
