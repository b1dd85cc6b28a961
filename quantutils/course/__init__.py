"""What lessons need to be lessons: figures, explorers, exercises, trained models, recorded kernels."""
