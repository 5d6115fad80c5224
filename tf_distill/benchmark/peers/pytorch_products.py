"""The roof: matrix products alone, as fast as PyTorch makes them here."""

REQUIRES = ["torch"]
INSTALL = "pip install torch==2.13.0"


class Side:
    """Square matrix products.

    Args:
        job: dict of `dtype` and `size`, of the matrices' sides.

    Attributes:
        facts: dict of `flops`, of one step.
    """

    def __init__(self, job):
        import torch

        size, dtype = job["size"], getattr(torch, job["dtype"])
        self._matrices = [
            torch.randn(size, size).to(dtype=dtype) for _ in range(2)
        ]
        self.facts = {"flops": 2 * size**3}
        self.run(2)

    def run(self, steps):
        """Multiplies."""
        for _ in range(steps):
            _ = self._matrices[0] @ self._matrices[1]
