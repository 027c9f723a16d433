# NumPy's arrays into pointers and shapes, and what the table's conditions ask of their contents.

cdef struct fa_array:
    void *data        # null where there is nothing
    ptrdiff_t shape[3]
    ptrdiff_t size
    int bytes         # of an element


cdef enum:
    A_DOUBLE, A_REAL, AN_INT64, AN_INT32


cdef inline void _nothing(fa_array *out) noexcept:
    """An array that is not looked at."""
    out.data, out.size, out.bytes = NULL, 0, 0
    out.shape[0], out.shape[1], out.shape[2] = 0, 0, 0


cdef tuple _shape_of(const fa_array *a, int axes):
    return tuple([a.shape[i] for i in range(axes)])


cdef inline void *_of_bytes(const fa_array *a, int bytes) noexcept:
    """The pointer, if elements have that size; else null."""
    return <void *>a.data if a.bytes == bytes else NULL


cdef inline void _inputs(const fa_array *x, fa_rows *rows) noexcept:
    """A matrix by itself, as rows without targets and weights."""
    rows.n, rows.m = x.shape[0], x.shape[1]
    rows.doubles, rows.singles = <const double *>_of_bytes(x, 8), <const float *>_of_bytes(x, 4)
    rows.y, rows.weight = NULL, NULL


cdef bint within(fa_array numbers, ptrdiff_t end) noexcept:
    """Whether all are from 0 to below the end; taken without a sign, negative ones are large."""
    cdef const uint32_t *short = <const uint32_t *>numbers.data
    cdef const uint64_t *long = <const uint64_t *>numbers.data
    cdef uint32_t largest = 0
    cdef uint64_t longest = 0
    cdef ptrdiff_t i
    if numbers.bytes == 4:
        for i in range(numbers.size):
            largest = short[i] if short[i] > largest else largest
        longest = largest
    else:
        for i in range(numbers.size):
            longest = long[i] if long[i] > longest else longest
    return numbers.size == 0 or longest < <uint64_t>end


cdef bint numbered(fa_array values, ptrdiff_t end) noexcept:
    """The same of numbers that are held as doubles."""
    cdef const double *at = <const double *>values.data
    cdef bint fine = True
    cdef ptrdiff_t i
    for i in range(values.size):
        fine &= 0.0 <= at[i] and at[i] < <double>end
    return fine


cdef bint rising(fa_array starts, ptrdiff_t end) noexcept:
    """Whether they ascend, from 0 or more to no more than the end."""
    cdef const int64_t *at = <const int64_t *>starts.data
    cdef bint fine = at[0] >= 0 and at[starts.size - 1] <= end
    cdef ptrdiff_t i
    for i in range(1, starts.size):
        fine &= at[i] >= at[i - 1]
    return fine


cdef bint spanned(fa_array spans, ptrdiff_t end) noexcept:
    """Whether each (start, stop) holds some of the rows below the end."""
    cdef const int64_t *at = <const int64_t *>spans.data
    cdef bint fine = True
    cdef ptrdiff_t i
    for i in range(spans.shape[0]):
        fine &= 0 <= at[2 * i] and at[2 * i] < at[2 * i + 1] and at[2 * i + 1] <= end
    return fine


cdef bint chained(fa_array widths, ptrdiff_t first, ptrdiff_t last, ptrdiff_t size) noexcept:
    """Whether layers of such widths lead from the first to the last, and have so many weights."""
    cdef const int64_t *at = <const int64_t *>widths.data
    cdef ptrdiff_t i, left = size
    if widths.size < 2 or at[0] != first or at[widths.size - 1] != last or first < 1:
        return False
    for i in range(1, widths.size):
        # Divided, so that no product can overflow.
        if at[i] < 1 or at[i] > left or at[i - 1] + 1 > left // at[i]:
            return False
        left -= (at[i - 1] + 1) * at[i]
    return left == 0


cdef ptrdiff_t moment_count(ptrdiff_t m) noexcept:
    """Entries of the products of `quadratic_moments` for m inputs."""
    cdef ptrdiff_t start, stop, r, columns, size = 0
    for start in range(0, m + 1, MOMENT_GROUP):
        stop = min(start + MOMENT_GROUP, m + 1)
        columns = 0
        for r in range(start, stop):
            columns += m + 1 - r
        size += stop * (stop + 1) // 2 * columns
    return size
