"""Floor 5: the simulated Sinch, and the rehearsal that `dev` is."""
