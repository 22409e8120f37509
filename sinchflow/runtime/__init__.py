"""Floor 4: every effect. Receives, stores, decides through the engine, performs, and stores what came of it."""
