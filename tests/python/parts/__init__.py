"""The parts of the story."""
