"""What can be asked of Stratum: request and response models, and the engine that answers."""
