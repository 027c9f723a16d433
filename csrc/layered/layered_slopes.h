/* How high a network of any depth is for rows at their inputs, and its slopes there: the counterpart
   of numba_ops/layered_slopes.py, which has the formulas. Everything is by columns (columns.h): a
   layer's units are (h, K), a row a lane, and what a row gets does not depend on its company. */
#ifndef FASTAIF_LAYERED_SLOPES_H
#define FASTAIF_LAYERED_SLOPES_H

#include "core/point_losses.h"
#include "network/network_units.h"

/* A layer's W (in, out) and b (out,), W turned (out, in), which products forwards read straight
   through, and, for K rows, its units and their slopes (out, K). */
typedef struct {
    ptrdiff_t in, out;
    const double *W, *b;
    double *turned, *units, *slopes;
} fa_layer;

typedef struct {
    ptrdiff_t count, activation;
    const fa_head *head;
    fa_layer *layers;
} fa_stack;

/* --- units -------------------------------------------------------------------------------- */

INLINE fa_unit sigmoid_unit(vd z)
{
    vd e = exp_vector(-magnitude(z)), inverse = 1.0 / (1.0 + e), small = e * inverse;
    vl up = z > 0.0;
    return (fa_unit){choose(up, inverse, small), small * inverse, splat(0.0)};
}

INLINE fa_unit relu_unit(vd z)
{
    vl up = z > 0.0;
    return (fa_unit){choose(up | (z != z), z, splat(0.0)), keep(up, splat(1.0)), splat(0.0)};
}

INLINE fa_unit layer_unit_at(int activation, vd z)
{
    return activation == SIGMOID ? sigmoid_unit(z)
        : activation == RELU     ? relu_unit(z)
        : activation == IDENTITY ? (fa_unit){z, splat(1.0), splat(0.0)}
                                 : unit_at(activation, z);
}

INLINE void activate_layer(const fa_layer *l, ptrdiff_t K, int activation)
{
    for (ptrdiff_t i = 0; i < l->out; i++)
        for (ptrdiff_t at = i * K; at < (i + 1) * K; at += FA_LANES) {
            fa_unit unit = layer_unit_at(activation, load(l->units + at) + l->b[i]);
            store(l->units + at, unit.value);
            store(l->slopes + at, unit.slope);
        }
}

static void run_layer(const fa_stack *s, const fa_layer *l, const double *inputs, ptrdiff_t K)
{
    multiply_columns(l->turned, l->out, l->in, l->in, 1, inputs, K, l->units);
    int last = l == s->layers + s->count - 1;
    switch (last ? IDENTITY : s->activation) {
    case TANH: activate_layer(l, K, TANH); break;
    case SOFTPLUS: activate_layer(l, K, SOFTPLUS); break;
    case GELU: activate_layer(l, K, GELU); break;
    case SIGMOID: activate_layer(l, K, SIGMOID); break;
    case RELU: activate_layer(l, K, RELU); break;
    default: activate_layer(l, K, IDENTITY);
    }
}

/* --- heads -------------------------------------------------------------------------------- */

/* Of these functions f (outputs, K) becomes the derivative of the heights (K,) in it. */

static void one_output(const fa_head *head, const double *y, ptrdiff_t K, double *f, double *heights)
{
    for (ptrdiff_t r = 0; r < K; r++) {
        if (is_monotone(head->loss)) {
            heights[r] = -y[r] * f[r];
            f[r] = -y[r];
        } else {
            fa_point at = point_loss(head->loss, head->delta, f[r], y[r]);
            heights[r] = at.value;
            f[r] = at.first;
        }
    }
}

static void several_outputs(
    const fa_head *head, const double *y, ptrdiff_t K, double *f, double *heights)
{
    for (ptrdiff_t r = 0; r < K; r += FA_LANES) {
        vd total = splat(0.0);
        for (ptrdiff_t j = 0; j < head->outputs; j++) {
            vd error = piece(f, K, j, r) - piece(y, K, j, r);
            total += error * error;
            store(f + j * K + r, 2.0 * error);
        }
        store(heights + r, total);
    }
}

/* How far the other classes together are ahead of a row's own. */
static void classes(const fa_head *head, const double *y, ptrdiff_t K, double *f, double *heights)
{
    for (ptrdiff_t r = 0; r < K; r += FA_LANES) {
        vd own = load(y + r), mine, top = splat(-INFINITY), total = splat(0.0);
        for (int l = 0; l < FA_LANES; l++)
            mine[l] = f[(ptrdiff_t)own[l] * K + r + l];
        for (ptrdiff_t j = 0; j < head->outputs; j++) {
            vd ahead = choose(own == (double)j, splat(-INFINITY), piece(f, K, j, r) - mine);
            store(f + j * K + r, ahead);
            top = larger(top, ahead);
        }
        for (ptrdiff_t j = 0; j < head->outputs; j++) {
            vd e = exp_vector(piece(f, K, j, r) - top);
            store(f + j * K + r, e);
            total += e;
        }
        for (ptrdiff_t j = 0; j < head->outputs; j++)
            store(f + j * K + r, choose(own == (double)j, splat(-1.0), piece(f, K, j, r) / total));
        store(heights + r, top - negative_log(total) + (total - total));
    }
}

/* --- forwards and backwards --------------------------------------------------------------- */

/* Heights (K,) and slopes (m, K) of K rows at their inputs (m, K), which the slopes may take the
   place of; y (targets, K). */
static void rise(
    const fa_stack *s, const double *inputs, const double *y, ptrdiff_t K, double *heights,
    double *slopes)
{
    fa_layer *last = s->layers + s->count - 1;
    for (fa_layer *l = s->layers; l <= last; l++) {
        run_layer(s, l, inputs, K);
        inputs = l->units;
    }
    if (s->head->kind == ONE_OUTPUT)
        one_output(s->head, y, K, last->units, heights);
    else if (s->head->kind == SEVERAL_OUTPUTS)
        several_outputs(s->head, y, K, last->units, heights);
    else
        classes(s->head, y, K, last->units, heights);
    for (fa_layer *l = last; l > s->layers; l--) {
        double *before = l[-1].units;
        multiply_columns(l->W, l->in, l->out, l->out, 1, l->units, K, before);
        for (ptrdiff_t at = 0; at < l->in * K; at += FA_LANES)
            store(before + at, load(before + at) * load(l[-1].slopes + at));
    }
    multiply_columns(s->layers->W, s->layers->in, s->layers->out, s->layers->out, 1,
                     s->layers->units, K, slopes);
}

/* --- room --------------------------------------------------------------------------------- */

/* Doubles that a stack needs for up to K rows. */
static ptrdiff_t size_of_stack(const fa_layers *given, ptrdiff_t K)
{
    ptrdiff_t units = 0, weights = 0;
    for (ptrdiff_t i = 1; i < given->n_widths; i++) {
        units += given->widths[i];
        weights += filled_up(given->widths[i - 1] * given->widths[i]);
    }
    return 2 * units * K + weights + filled_up((given->n_widths - 1) * (ptrdiff_t)sizeof(fa_layer) / 8);
}

static fa_stack make_stack(const fa_layers *given, const fa_head *head, ptrdiff_t K, double **room)
{
    fa_stack s = {given->n_widths - 1, given->activation, head, NULL};
    s.layers = (fa_layer *)take(room, s.count * (ptrdiff_t)sizeof(fa_layer) / 8);
    const double *theta = given->theta;
    for (ptrdiff_t i = 0; i < s.count; i++) {
        ptrdiff_t in = given->widths[i], out = given->widths[i + 1];
        s.layers[i] = (fa_layer){in, out, theta, theta + in * out, NULL, NULL, NULL};
        s.layers[i].turned = take(room, in * out);
        s.layers[i].units = take(room, out * K);
        s.layers[i].slopes = take(room, out * K);
        for (ptrdiff_t j = 0; j < out; j++)
            for (ptrdiff_t l = 0; l < in; l++)
                s.layers[i].turned[j * in + l] = theta[l * out + j];
        theta += (in + 1) * out;
    }
    return s;
}

#endif
