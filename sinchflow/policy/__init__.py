"""Floor 2: may this run start, may this send happen now? Pure: counts come in, a verdict goes out."""
