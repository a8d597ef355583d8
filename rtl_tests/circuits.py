"""What the cells of a circuit compute, in numpy."""

import numpy as np

from sbnn.hls.circuit import Circuit


def evaluate(circuit: Circuit, x: np.ndarray) -> np.ndarray:
    """Return every signal for every input vector, (signals, B) bool, of x (inputs, B) bool."""
    signals = list(x)
    for cell in circuit.cells:
        assert cell.first == len(signals)
        read = [signals[literal >> 1] ^ bool(literal & 1) for literal in cell.inputs]
        if cell.table is None:
            total = sum(bits.astype(int) for bits in read)
            signals += [total % 2 == 1, total >= 2]
        else:
            index = sum(bits.astype(int) << i for i, bits in enumerate(read))
            entries = np.array(
                [cell.table >> i & 1 for i in range(cell.outputs << len(read))], bool
            )
            signals += [entries[index * cell.outputs + o] for o in range(cell.outputs)]
    return np.array(signals)
