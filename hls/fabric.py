"""What a family's logic is made of, as far as the generator chooses by it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fabric:
    """One kind of logic cell.

    Attributes:
        table_inputs: inputs of the largest table that one output may take.
        pair_inputs: inputs that the two outputs of one cell may have together; 0 where a cell has one output.
        adder: cost of a full adder in cells, shared ones counted once.
    """

    table_inputs: int
    pair_inputs: int
    adder: float

    def cells(self, inputs: int, outputs: int) -> float:
        """Return what `outputs` tables of the same `inputs` signals cost, in cells."""
        if inputs < 2:
            return 0
        if inputs <= self.pair_inputs:
            return (outputs + 1) // 2
        return outputs


LUT6 = Fabric(table_inputs=6, pair_inputs=5, adder=1)
LUT4 = Fabric(table_inputs=4, pair_inputs=0, adder=2)

FABRICS = {"xc7": LUT6, "xcup": LUT6}


def fabric_of(family: str) -> Fabric:
    """Return the fabric of a family; LUT4 for all that are not known to have larger tables."""
    return FABRICS.get(family, LUT4)
