"""A feed-forward block of a transformer in PyTorch, with Lanewise's norm and gate: it trains, and torch.compile takes
it whole."""

import torch
from lanewise import torch as lt


class FeedForward(torch.nn.Module):
    """rms_norm, then swiglu between two linear layers."""

    def __init__(self, width, hidden):
        super().__init__()
        self.norm = torch.nn.Parameter(torch.ones(width))
        self.gate_and_up = torch.nn.Linear(width, 2 * hidden, bias=False)
        self.down = torch.nn.Linear(hidden, width, bias=False)

    def forward(self, x):
        """Return x with what the block adds to it."""
        gate, up = self.gate_and_up(lt.rms_norm(x, self.norm)).chunk(2, dim=-1)
        return x + self.down(lt.swiglu(gate, up))


def silu_rows(x, y):
    """Fill y with silu(x); the tensors share the arrays' memory."""
    torch.from_numpy(y).copy_(lt.silu(torch.from_numpy(x)))
