"""``lanewise.network`` is lanewise.evolution.network: a name that the documentation gives."""

from .evolution.network import ACTIVATIONS, Batch, Network

__all__ = ["ACTIVATIONS", "Batch", "Network"]
