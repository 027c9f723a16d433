# cython: language_level=3, boundscheck=False, wraparound=False
"""A shim: pointers of arrays into the C operations, and nothing else.

Every function has the name, arguments and results of its counterpart in
`fastaif/_compute/numba_ops`, whose docstring says what they are.
"""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t, uint64_t

include "shim/declarations.pxi"
include "shim/arguments.pxi"
include "shim/linear.pxi"
include "shim/bootstrap.pxi"
include "shim/kernels.pxi"
include "shim/attacks.pxi"
include "shim/bases.pxi"
include "shim/networks.pxi"
include "shim/random_numbers.pxi"


def exp(const double[::1] x, double[::1] out):
    """exp elementwise, by the vectors that the operations use."""
    fa_chosen.exp(&x[0], &out[0], x.shape[0])


def negative_log(const double[::1] x, double[::1] out):
    """-log elementwise for normal numbers above 0, by the vectors that the operations use."""
    fa_chosen.negative_log(&x[0], &out[0], x.shape[0])


def log1p(const double[::1] x, double[::1] out):
    """log(1 + x) elementwise for x from 0 to 1, by the vectors that the operations use."""
    fa_chosen.log1p(&x[0], &out[0], x.shape[0])


def normal_share(const double[::1] z, double[::1] out):
    """Phi elementwise, the standard normal distribution, as GELU units have it."""
    fa_chosen.normal_share(&z[0], &out[0], z.shape[0])


def instruction_set():
    """The name of the instruction set in use."""
    return fa_chosen.name.decode()


def available_instruction_sets():
    """The names of those that this machine has, widest first."""
    names, i = [], 0
    while fa_available(i) != NULL:
        names.append(fa_available(i).decode())
        i += 1
    return names


def choose_instruction_set(name=None):
    """Use that set from now on; the widest where no name is given."""
    cdef const char *text = NULL
    encoded = None if name is None else name.encode()
    if encoded is not None:
        text = encoded
    if fa_choose(text):
        known = ", ".join(available_instruction_sets())
        raise ValueError(f"this machine has no instruction set {name!r}; it has {known}")
