/* Lanewise's kernels as one table of C functions, for C11 and C++17, the limited API too. Made by tools/header.py from
 * kernels/(module).pxd, which say what each function does; do not edit.
 *
 *     #include <lanewise.h>                              found by lanewise.get_include()
 *
 *     if (lanewise_import() < 0) return NULL;            once, where the module is initialised; raises ImportError
 *     lanewise->silu_float32(x, y, n);                   anywhere, without the GIL
 *
 * Arrays are contiguous. What has no const is written. A kernel starts no thread that its caller did not ask for.
 */
#ifndef LANEWISE_H
#define LANEWISE_H

#include <Python.h>

#include <stdint.h>

/* Raised when a function changes its meaning: an extension then has to be built again. Functions are only added. */
#define LANEWISE_ABI 1
#define LANEWISE_FUNCTIONS 468 /* what this header declares; a later lanewise has them too, in the same places */

typedef struct {
    int abi, functions; /* of the lanewise that is installed */

    /* lanewise.kernels.interface */
    /* What belongs to calling kernels rather than to one of them, for those who cimport: the floating-point environment
     * of a call, and how many threads a caller may share its work among. Between the two, kernels give the bits of the
     * Python function whatever the calling thread has set: to round to nearest, to keep subnormals, to trap nothing.
     * enter() keeps the caller's environment in callers[8], leave() restores it, and so clears the floating-point flags
     * that kernels raised. */
    void (*enter)(uint64_t *callers);
    void (*leave)(const uint64_t *callers);
    /* lanewise.get_num_threads(), for a caller's own parallel loop: 1 in a forked child */
    int (*num_threads)(void);

    /* lanewise.kernels.activations */
    /* The flat kernels of the activations, to cimport: contiguous arrays of n elements, no Python, no GIL, no threads;
     * y may be x. Parameters and gates are arrays of n elements too. Frozen: names and signatures are checked against
     * tests/embedding/signatures.txt. */
    void (*exp_float32)(const float *x, float *y, Py_ssize_t n);
    void (*exp_float64)(const double *x, double *y, Py_ssize_t n);
    void (*expm1_float32)(const float *x, float *y, Py_ssize_t n);
    void (*expm1_float64)(const double *x, double *y, Py_ssize_t n);
    void (*log_float32)(const float *x, float *y, Py_ssize_t n);
    void (*log_float64)(const double *x, double *y, Py_ssize_t n);
    void (*log1p_float32)(const float *x, float *y, Py_ssize_t n);
    void (*log1p_float64)(const double *x, double *y, Py_ssize_t n);
    void (*erf_float32)(const float *x, float *y, Py_ssize_t n);
    void (*erf_float64)(const double *x, double *y, Py_ssize_t n);
    void (*erfc_float32)(const float *x, float *y, Py_ssize_t n);
    void (*erfc_float64)(const double *x, double *y, Py_ssize_t n);
    void (*relu_float32)(const float *x, float *y, Py_ssize_t n);
    void (*relu_float64)(const double *x, double *y, Py_ssize_t n);
    void (*relu6_float32)(const float *x, float *y, Py_ssize_t n);
    void (*relu6_float64)(const double *x, double *y, Py_ssize_t n);
    void (*relu_squared_float32)(const float *x, float *y, Py_ssize_t n);
    void (*relu_squared_float64)(const double *x, double *y, Py_ssize_t n);
    void (*sigmoid_float32)(const float *x, float *y, Py_ssize_t n);
    void (*sigmoid_float64)(const double *x, double *y, Py_ssize_t n);
    void (*tanh_float32)(const float *x, float *y, Py_ssize_t n);
    void (*tanh_float64)(const double *x, double *y, Py_ssize_t n);
    void (*silu_float32)(const float *x, float *y, Py_ssize_t n);
    void (*silu_float64)(const double *x, double *y, Py_ssize_t n);
    void (*gelu_float32)(const float *x, float *y, Py_ssize_t n);
    void (*gelu_float64)(const double *x, double *y, Py_ssize_t n);
    void (*gelu_tanh_float32)(const float *x, float *y, Py_ssize_t n);
    void (*gelu_tanh_float64)(const double *x, double *y, Py_ssize_t n);
    void (*mish_float32)(const float *x, float *y, Py_ssize_t n);
    void (*mish_float64)(const double *x, double *y, Py_ssize_t n);
    void (*softsign_float32)(const float *x, float *y, Py_ssize_t n);
    void (*softsign_float64)(const double *x, double *y, Py_ssize_t n);
    void (*softplus_float32)(const float *x, float *y, Py_ssize_t n);
    void (*softplus_float64)(const double *x, double *y, Py_ssize_t n);
    void (*logsigmoid_float32)(const float *x, float *y, Py_ssize_t n);
    void (*logsigmoid_float64)(const double *x, double *y, Py_ssize_t n);
    void (*selu_float32)(const float *x, float *y, Py_ssize_t n);
    void (*selu_float64)(const double *x, double *y, Py_ssize_t n);
    void (*tanhshrink_float32)(const float *x, float *y, Py_ssize_t n);
    void (*tanhshrink_float64)(const double *x, double *y, Py_ssize_t n);
    void (*hardsigmoid_float32)(const float *x, float *y, Py_ssize_t n);
    void (*hardsigmoid_float64)(const double *x, double *y, Py_ssize_t n);
    void (*hardswish_float32)(const float *x, float *y, Py_ssize_t n);
    void (*hardswish_float64)(const double *x, double *y, Py_ssize_t n);
    void (*leaky_relu_float32)(const float *x, const float *negative_slope, float *y, Py_ssize_t n);
    void (*leaky_relu_float64)(const double *x, const double *negative_slope, double *y, Py_ssize_t n);
    void (*elu_float32)(const float *x, const float *alpha, float *y, Py_ssize_t n);
    void (*elu_float64)(const double *x, const double *alpha, double *y, Py_ssize_t n);
    void (*celu_float32)(const float *x, const float *alpha, float *y, Py_ssize_t n);
    void (*celu_float64)(const double *x, const double *alpha, double *y, Py_ssize_t n);
    void (*swish_float32)(const float *x, const float *beta, float *y, Py_ssize_t n);
    void (*swish_float64)(const double *x, const double *beta, double *y, Py_ssize_t n);
    void (*softplus_scaled_float32)(const float *x, const float *beta, float *y, Py_ssize_t n);
    void (*softplus_scaled_float64)(const double *x, const double *beta, double *y, Py_ssize_t n);
    void (*softshrink_float32)(const float *x, const float *lambd, float *y, Py_ssize_t n);
    void (*softshrink_float64)(const double *x, const double *lambd, double *y, Py_ssize_t n);
    void (*hardshrink_float32)(const float *x, const float *lambd, float *y, Py_ssize_t n);
    void (*hardshrink_float64)(const double *x, const double *lambd, double *y, Py_ssize_t n);
    void (*squareplus_float32)(const float *x, const float *b, float *y, Py_ssize_t n);
    void (*squareplus_float64)(const double *x, const double *b, double *y, Py_ssize_t n);
    void (*hardtanh_float32)(const float *x, const float *min_val, const float *max_val, float *y, Py_ssize_t n);
    void (*hardtanh_float64)(const double *x, const double *min_val, const double *max_val, double *y, Py_ssize_t n);
    void (*threshold_float32)(const float *x, const float *at, const float *value, float *y, Py_ssize_t n);
    void (*threshold_float64)(const double *x, const double *at, const double *value, double *y, Py_ssize_t n);
    void (*glu_float32)(const float *x, const float *gate, float *y, Py_ssize_t n);
    void (*glu_float64)(const double *x, const double *gate, double *y, Py_ssize_t n);
    void (*swiglu_float32)(const float *gate, const float *up, float *y, Py_ssize_t n);
    void (*swiglu_float64)(const double *gate, const double *up, double *y, Py_ssize_t n);
    void (*geglu_float32)(const float *gate, const float *up, float *y, Py_ssize_t n);
    void (*geglu_float64)(const double *gate, const double *up, double *y, Py_ssize_t n);
    void (*reglu_float32)(const float *gate, const float *up, float *y, Py_ssize_t n);
    void (*reglu_float64)(const double *gate, const double *up, double *y, Py_ssize_t n);
    void (*relu_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*relu_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*relu6_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*relu6_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*relu_squared_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*relu_squared_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*sigmoid_backward_float32)(const float *grad, const float *y, float *grad_x, Py_ssize_t n);
    void (*sigmoid_backward_float64)(const double *grad, const double *y, double *grad_x, Py_ssize_t n);
    void (*tanh_backward_float32)(const float *grad, const float *y, float *grad_x, Py_ssize_t n);
    void (*tanh_backward_float64)(const double *grad, const double *y, double *grad_x, Py_ssize_t n);
    void (*silu_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*silu_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*gelu_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*gelu_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*gelu_tanh_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*gelu_tanh_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*mish_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*mish_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*softsign_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*softsign_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*softplus_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*softplus_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*logsigmoid_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*logsigmoid_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*selu_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*selu_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*tanhshrink_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*tanhshrink_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*hardsigmoid_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*hardsigmoid_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*hardswish_backward_float32)(const float *grad, const float *x, float *grad_x, Py_ssize_t n);
    void (*hardswish_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t n);
    void (*leaky_relu_backward_float32)(const float *grad, const float *x, const float *negative_slope, float *grad_x,
                                        Py_ssize_t n);
    void (*leaky_relu_backward_float64)(const double *grad, const double *x, const double *negative_slope,
                                        double *grad_x, Py_ssize_t n);
    void (*prelu_weight_backward_float32)(const float *grad, const float *x, float *grad_weight, Py_ssize_t n);
    void (*prelu_weight_backward_float64)(const double *grad, const double *x, double *grad_weight, Py_ssize_t n);
    void (*elu_backward_float32)(const float *grad, const float *x, const float *alpha, float *grad_x, Py_ssize_t n);
    void (*elu_backward_float64)(const double *grad, const double *x, const double *alpha, double *grad_x,
                                 Py_ssize_t n);
    void (*celu_backward_float32)(const float *grad, const float *x, const float *alpha, float *grad_x, Py_ssize_t n);
    void (*celu_backward_float64)(const double *grad, const double *x, const double *alpha, double *grad_x,
                                  Py_ssize_t n);
    void (*swish_backward_float32)(const float *grad, const float *x, const float *beta, float *grad_x, Py_ssize_t n);
    void (*swish_backward_float64)(const double *grad, const double *x, const double *beta, double *grad_x,
                                   Py_ssize_t n);
    void (*softplus_scaled_backward_float32)(const float *grad, const float *x, const float *beta, float *grad_x,
                                             Py_ssize_t n);
    void (*softplus_scaled_backward_float64)(const double *grad, const double *x, const double *beta, double *grad_x,
                                             Py_ssize_t n);
    void (*shrink_backward_float32)(const float *grad, const float *x, const float *lambd, float *grad_x, Py_ssize_t n);
    void (*shrink_backward_float64)(const double *grad, const double *x, const double *lambd, double *grad_x,
                                    Py_ssize_t n);
    void (*squareplus_backward_float32)(const float *grad, const float *x, const float *b, float *grad_x, Py_ssize_t n);
    void (*squareplus_backward_float64)(const double *grad, const double *x, const double *b, double *grad_x,
                                        Py_ssize_t n);
    void (*hardtanh_backward_float32)(const float *grad, const float *x, const float *min_val, const float *max_val,
                                      float *grad_x, Py_ssize_t n);
    void (*hardtanh_backward_float64)(const double *grad, const double *x, const double *min_val, const double *max_val,
                                      double *grad_x, Py_ssize_t n);
    void (*threshold_backward_float32)(const float *grad, const float *x, const float *at, float *grad_x, Py_ssize_t n);
    void (*threshold_backward_float64)(const double *grad, const double *x, const double *at, double *grad_x,
                                       Py_ssize_t n);
    void (*glu_backward_float32)(const float *grad, const float *x, const float *gate, float *grad_x, float *grad_gate,
                                 Py_ssize_t n);
    void (*glu_backward_float64)(const double *grad, const double *x, const double *gate, double *grad_x,
                                 double *grad_gate, Py_ssize_t n);
    void (*swiglu_backward_float32)(const float *grad, const float *gate, const float *up, float *grad_gate,
                                    float *grad_up, Py_ssize_t n);
    void (*swiglu_backward_float64)(const double *grad, const double *gate, const double *up, double *grad_gate,
                                    double *grad_up, Py_ssize_t n);
    void (*geglu_backward_float32)(const float *grad, const float *gate, const float *up, float *grad_gate,
                                   float *grad_up, Py_ssize_t n);
    void (*geglu_backward_float64)(const double *grad, const double *gate, const double *up, double *grad_gate,
                                   double *grad_up, Py_ssize_t n);
    void (*reglu_backward_float32)(const float *grad, const float *gate, const float *up, float *grad_gate,
                                   float *grad_up, Py_ssize_t n);
    void (*reglu_backward_float64)(const double *grad, const double *gate, const double *up, double *grad_gate,
                                   double *grad_up, Py_ssize_t n);

    /* lanewise.kernels.genome */
    /* Packed 4-bit codes, for those who cimport: weight 2i in the low nibble of byte i, weight 2i + 1 in the high one.
     * Every function works on one genome, holds no state and takes n as the number of weights, odd or even.
     * genome[ceil(n / 2)] from one code a byte, 0 to 15 each; whether a code was above 15 */
    int (*pack_uint8)(const uint8_t *codes, uint8_t *genome, Py_ssize_t n);
    /* codes[n], one a byte */
    void (*unpack_uint8)(const uint8_t *genome, uint8_t *codes, Py_ssize_t n);
    /* weights[i] = levels[code i] * scales[i // group], rounded once; group is a multiple of 16, or at least n */
    void (*decode_float32)(const uint8_t *genome, const float *levels, const float *scales, Py_ssize_t group,
                           float *weights, Py_ssize_t n);
    /* genome[ceil(n / 2)] of the nearest levels, in a tie that of an even code. `order` holds the codes by rising
     * level, and middles[i] the middle between the levels of order[i - 1] and order[i]; whether a weight was NaN */
    int (*encode_float32)(const float *weights, const float *order, const double *middles, const float *scales,
                          Py_ssize_t group, uint8_t *genome, Py_ssize_t n);
    /* the scale, of those tried, with the least sum of (weight - level * scale)^2; scratch has ceil(n / 2) bytes */
    float (*best_scale_float32)(const float *weights, const float *levels, const float *order, const double *middles,
                                uint8_t *scratch, Py_ssize_t n);

    /* lanewise.kernels.ieee754 */
    /* IEEE-754 for those who cimport: fields, classes, ULPs, and float32 rounded into every smaller format and back.
     * All work on contiguous arrays of n elements that do not overlap, on one thread, and leave the floating-point
     * flags and rounding of the caller as they were. A code is a number's bits, unsigned, 0 in what a byte has above
     * them. sign (0 or 1), biased exponent and mantissa, as they stand in the number */
    void (*decompose_float32)(const float *x, uint8_t *sign, uint8_t *exponent, uint32_t *mantissa, Py_ssize_t n);
    void (*decompose_float64)(const double *x, uint8_t *sign, uint16_t *exponent, uint64_t *mantissa, Py_ssize_t n);
    /* the inverse; bits that a field has no room for are dropped */
    void (*compose_float32)(const uint8_t *sign, const uint8_t *exponent, const uint32_t *mantissa, float *y,
                            Py_ssize_t n);
    void (*compose_float64)(const uint8_t *sign, const uint16_t *exponent, const uint64_t *mantissa, double *y,
                            Py_ssize_t n);
    /* the ten classes of IEEE 754-2019, section 5.7.2, in its order, from 0 for a signalling NaN to 9 for +infinity */
    void (*classify_float32)(const float *x, uint8_t *classes, Py_ssize_t n);
    void (*classify_float64)(const double *x, uint8_t *classes, Py_ssize_t n);
    /* the unit in the last place, positive; infinity of infinity, NaN of NaN */
    void (*ulp_float32)(const float *x, float *y, Py_ssize_t n);
    void (*ulp_float64)(const double *x, double *y, Py_ssize_t n);
    /* to nearest, ties to even; what is too large becomes infinity, or NaN, or the largest number where there is
     * neither */
    void (*encode_binary16_float32)(const float *x, uint16_t *codes, Py_ssize_t n);
    void (*encode_bfloat16_float32)(const float *x, uint16_t *codes, Py_ssize_t n);
    void (*encode_float8_e5m2_float32)(const float *x, uint8_t *codes, Py_ssize_t n);
    void (*encode_float8_e4m3fn_float32)(const float *x, uint8_t *codes, Py_ssize_t n);
    void (*encode_float8_e8m0fnu_float32)(const float *x, uint8_t *codes, Py_ssize_t n);
    void (*encode_float6_e3m2fn_float32)(const float *x, uint8_t *codes, Py_ssize_t n);
    void (*encode_float6_e2m3fn_float32)(const float *x, uint8_t *codes, Py_ssize_t n);
    void (*encode_float4_e2m1fn_float32)(const float *x, uint8_t *codes, Py_ssize_t n);
    /* the value of each code, exactly; a NaN comes out quiet */
    void (*decode_binary16_float32)(const uint16_t *codes, float *y, Py_ssize_t n);
    void (*decode_bfloat16_float32)(const uint16_t *codes, float *y, Py_ssize_t n);
    void (*decode_float8_e5m2_float32)(const uint8_t *codes, float *y, Py_ssize_t n);
    void (*decode_float8_e4m3fn_float32)(const uint8_t *codes, float *y, Py_ssize_t n);
    void (*decode_float8_e8m0fnu_float32)(const uint8_t *codes, float *y, Py_ssize_t n);
    void (*decode_float6_e3m2fn_float32)(const uint8_t *codes, float *y, Py_ssize_t n);
    void (*decode_float6_e2m3fn_float32)(const uint8_t *codes, float *y, Py_ssize_t n);
    void (*decode_float4_e2m1fn_float32)(const uint8_t *codes, float *y, Py_ssize_t n);

    /* lanewise.kernels.linear4 */
    /* A linear layer whose weights stay packed 4-bit codes, for those who cimport. y[rows][outputs] = x[rows][inputs] @
     * weights.T + bias, weights[o][i] = levels[code] * scales[o][i // group], rounded. codes[outputs][ceil(inputs / 2)]
     * holds weight 2i in the low nibble of byte i; each output has a scale for each of its ceil(inputs / group) groups,
     * where group is a multiple of 16 or at least `inputs`; bias may be NULL. Runs on up to num_threads threads, one
     * where that is less than 1; whether there was memory for the tiles that it works in. */
    int (*linear4_float32)(const uint8_t *codes, const float *levels, const float *scales, Py_ssize_t group,
                           const float *bias, const float *x, float *y, Py_ssize_t rows, Py_ssize_t inputs,
                           Py_ssize_t outputs, int num_threads);

    /* lanewise.kernels.losses */
    /* Cross-entropy for those who cimport it: contiguous rows of n logits, one target a row, from 0 to n - 1; a row
     * whose target is below 0 is ignored: its loss and its gradient are 0.  One loss a row, in float64. grad may be
     * NULL; it is scaled by `scale`. One thread; the caller's floating-point flags may be raised. */
    void (*cross_entropy_float32)(const float *logits, const int64_t *target, double label_smoothing, double z_loss,
                                  double scale, double *loss, float *grad, Py_ssize_t rows, Py_ssize_t n);
    void (*cross_entropy_float64)(const double *logits, const int64_t *target, double label_smoothing, double z_loss,
                                  double scale, double *loss, double *grad, Py_ssize_t rows, Py_ssize_t n);

    /* lanewise.kernels.norms */
    /* The norms for those who cimport them: contiguous rows of n elements, one after the other.  weight and bias have n
     * elements, or are NULL. Statistics are float64 whatever the rows are, one a row, and may be NULL where they are
     * not wanted. y may be x. One thread; the caller's floating-point flags may be raised. */
    void (*rms_norm_float32)(const float *x, const float *weight, double eps, float *y, double *rstd, Py_ssize_t rows,
                             Py_ssize_t n);
    void (*rms_norm_float64)(const double *x, const double *weight, double eps, double *y, double *rstd,
                             Py_ssize_t rows, Py_ssize_t n);
    void (*layer_norm_float32)(const float *x, const float *weight, const float *bias, double eps, float *y,
                               double *mean, double *rstd, Py_ssize_t rows, Py_ssize_t n);
    void (*layer_norm_float64)(const double *x, const double *weight, const double *bias, double eps, double *y,
                               double *mean, double *rstd, Py_ssize_t rows, Py_ssize_t n);

    /* lanewise.kernels.population */
    /* Evaluating genomes, for those who cimport: one network with LOG4-like codes over one batch in tiles. A tile holds
     * 64 batch rows, feature by feature: x[tile][feature][row], zeros behind the last row. the tiles of
     * x[rows][features]; tiles has ceil(rows / 64) * 64 * features elements */
    void (*tile_float32)(const float *x, float *tiles, Py_ssize_t rows, Py_ssize_t features);

    /* lanewise.kernels.softmax */
    /* The softmax family for those who cimport it: contiguous rows of n elements, one after the other.  y may be x. One
     * thread; the caller's floating-point flags may be raised. */
    void (*softmax_float32)(const float *x, float *y, Py_ssize_t rows, Py_ssize_t n);
    void (*softmax_float64)(const double *x, double *y, Py_ssize_t rows, Py_ssize_t n);
    void (*log_softmax_float32)(const float *x, float *y, Py_ssize_t rows, Py_ssize_t n);
    void (*log_softmax_float64)(const double *x, double *y, Py_ssize_t rows, Py_ssize_t n);

    /* lanewise.kernels.activations */
    /* f of one number, for callers that take a `double (double)`: SciPy's LowLevelCallable */
    double (*exp_point_float64)(double x);
    double (*expm1_point_float64)(double x);
    double (*log_point_float64)(double x);
    double (*log1p_point_float64)(double x);
    double (*erf_point_float64)(double x);
    double (*erfc_point_float64)(double x);
    double (*relu_point_float64)(double x);
    double (*relu6_point_float64)(double x);
    double (*relu_squared_point_float64)(double x);
    double (*sigmoid_point_float64)(double x);
    double (*tanh_point_float64)(double x);
    double (*silu_point_float64)(double x);
    double (*gelu_point_float64)(double x);
    double (*gelu_tanh_point_float64)(double x);
    double (*mish_point_float64)(double x);
    double (*softsign_point_float64)(double x);
    double (*softplus_point_float64)(double x);
    double (*logsigmoid_point_float64)(double x);
    double (*selu_point_float64)(double x);
    double (*tanhshrink_point_float64)(double x);
    double (*hardsigmoid_point_float64)(double x);
    double (*hardswish_point_float64)(double x);
    /* one parameter for all elements; y may be x. In the environment that is described in interface.pxd, whatever the
     * caller's */
    void (*leaky_relu_scalar_float32)(const float *x, float negative_slope, float *y, Py_ssize_t n);
    void (*leaky_relu_scalar_float64)(const double *x, double negative_slope, double *y, Py_ssize_t n);
    void (*elu_scalar_float32)(const float *x, float alpha, float *y, Py_ssize_t n);
    void (*elu_scalar_float64)(const double *x, double alpha, double *y, Py_ssize_t n);
    void (*celu_scalar_float32)(const float *x, float alpha, float *y, Py_ssize_t n);
    void (*celu_scalar_float64)(const double *x, double alpha, double *y, Py_ssize_t n);
    void (*swish_scalar_float32)(const float *x, float beta, float *y, Py_ssize_t n);
    void (*swish_scalar_float64)(const double *x, double beta, double *y, Py_ssize_t n);
    void (*softplus_scaled_scalar_float32)(const float *x, float beta, float *y, Py_ssize_t n);
    void (*softplus_scaled_scalar_float64)(const double *x, double beta, double *y, Py_ssize_t n);
    void (*softshrink_scalar_float32)(const float *x, float lambd, float *y, Py_ssize_t n);
    void (*softshrink_scalar_float64)(const double *x, double lambd, double *y, Py_ssize_t n);
    void (*hardshrink_scalar_float32)(const float *x, float lambd, float *y, Py_ssize_t n);
    void (*hardshrink_scalar_float64)(const double *x, double lambd, double *y, Py_ssize_t n);
    void (*squareplus_scalar_float32)(const float *x, float b, float *y, Py_ssize_t n);
    void (*squareplus_scalar_float64)(const double *x, double b, double *y, Py_ssize_t n);
    void (*hardtanh_scalar_float32)(const float *x, float min_val, float max_val, float *y, Py_ssize_t n);
    void (*hardtanh_scalar_float64)(const double *x, double min_val, double max_val, double *y, Py_ssize_t n);
    void (*threshold_scalar_float32)(const float *x, float at, float value, float *y, Py_ssize_t n);
    void (*threshold_scalar_float64)(const double *x, double at, double value, double *y, Py_ssize_t n);
    void (*leaky_relu_backward_scalar_float32)(const float *grad, const float *x, float negative_slope, float *grad_x,
                                               Py_ssize_t n);
    void (*leaky_relu_backward_scalar_float64)(const double *grad, const double *x, double negative_slope,
                                               double *grad_x, Py_ssize_t n);
    void (*elu_backward_scalar_float32)(const float *grad, const float *x, float alpha, float *grad_x, Py_ssize_t n);
    void (*elu_backward_scalar_float64)(const double *grad, const double *x, double alpha, double *grad_x,
                                        Py_ssize_t n);
    void (*celu_backward_scalar_float32)(const float *grad, const float *x, float alpha, float *grad_x, Py_ssize_t n);
    void (*celu_backward_scalar_float64)(const double *grad, const double *x, double alpha, double *grad_x,
                                         Py_ssize_t n);
    void (*swish_backward_scalar_float32)(const float *grad, const float *x, float beta, float *grad_x, Py_ssize_t n);
    void (*swish_backward_scalar_float64)(const double *grad, const double *x, double beta, double *grad_x,
                                          Py_ssize_t n);
    void (*softplus_scaled_backward_scalar_float32)(const float *grad, const float *x, float beta, float *grad_x,
                                                    Py_ssize_t n);
    void (*softplus_scaled_backward_scalar_float64)(const double *grad, const double *x, double beta, double *grad_x,
                                                    Py_ssize_t n);
    void (*shrink_backward_scalar_float32)(const float *grad, const float *x, float lambd, float *grad_x, Py_ssize_t n);
    void (*shrink_backward_scalar_float64)(const double *grad, const double *x, double lambd, double *grad_x,
                                           Py_ssize_t n);
    void (*squareplus_backward_scalar_float32)(const float *grad, const float *x, float b, float *grad_x, Py_ssize_t n);
    void (*squareplus_backward_scalar_float64)(const double *grad, const double *x, double b, double *grad_x,
                                               Py_ssize_t n);
    void (*hardtanh_backward_scalar_float32)(const float *grad, const float *x, float min_val, float max_val,
                                             float *grad_x, Py_ssize_t n);
    void (*hardtanh_backward_scalar_float64)(const double *grad, const double *x, double min_val, double max_val,
                                             double *grad_x, Py_ssize_t n);
    void (*threshold_backward_scalar_float32)(const float *grad, const float *x, float at, float *grad_x, Py_ssize_t n);
    void (*threshold_backward_scalar_float64)(const double *grad, const double *x, double at, double *grad_x,
                                              Py_ssize_t n);
    /* on the bits of 16-bit floats: computed in float32 and rounded once; y may be x. In that environment too */
    void (*relu_float16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*relu_bfloat16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*sigmoid_float16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*sigmoid_bfloat16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*tanh_float16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*tanh_bfloat16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*silu_float16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*silu_bfloat16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*gelu_float16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*gelu_bfloat16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*gelu_tanh_float16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*gelu_tanh_bfloat16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*mish_float16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*mish_bfloat16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*softplus_float16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*softplus_bfloat16)(const uint16_t *x, uint16_t *y, Py_ssize_t n);
    void (*relu_backward_float16)(const uint16_t *grad, const uint16_t *x, uint16_t *grad_x, Py_ssize_t n);
    void (*relu_backward_bfloat16)(const uint16_t *grad, const uint16_t *x, uint16_t *grad_x, Py_ssize_t n);
    void (*sigmoid_backward_float16)(const uint16_t *grad, const uint16_t *y, uint16_t *grad_x, Py_ssize_t n);
    void (*sigmoid_backward_bfloat16)(const uint16_t *grad, const uint16_t *y, uint16_t *grad_x, Py_ssize_t n);
    void (*tanh_backward_float16)(const uint16_t *grad, const uint16_t *y, uint16_t *grad_x, Py_ssize_t n);
    void (*tanh_backward_bfloat16)(const uint16_t *grad, const uint16_t *y, uint16_t *grad_x, Py_ssize_t n);
    void (*silu_backward_float16)(const uint16_t *grad, const uint16_t *x, uint16_t *grad_x, Py_ssize_t n);
    void (*silu_backward_bfloat16)(const uint16_t *grad, const uint16_t *x, uint16_t *grad_x, Py_ssize_t n);
    void (*gelu_backward_float16)(const uint16_t *grad, const uint16_t *x, uint16_t *grad_x, Py_ssize_t n);
    void (*gelu_backward_bfloat16)(const uint16_t *grad, const uint16_t *x, uint16_t *grad_x, Py_ssize_t n);
    void (*gelu_tanh_backward_float16)(const uint16_t *grad, const uint16_t *x, uint16_t *grad_x, Py_ssize_t n);
    void (*gelu_tanh_backward_bfloat16)(const uint16_t *grad, const uint16_t *x, uint16_t *grad_x, Py_ssize_t n);
    void (*mish_backward_float16)(const uint16_t *grad, const uint16_t *x, uint16_t *grad_x, Py_ssize_t n);
    void (*mish_backward_bfloat16)(const uint16_t *grad, const uint16_t *x, uint16_t *grad_x, Py_ssize_t n);
    void (*softplus_backward_float16)(const uint16_t *grad, const uint16_t *x, uint16_t *grad_x, Py_ssize_t n);
    void (*softplus_backward_bfloat16)(const uint16_t *grad, const uint16_t *x, uint16_t *grad_x, Py_ssize_t n);

    /* lanewise.kernels.breeding */
    /* Breeding packed 4-bit genomes, for those who cimport: one genome of n weights, ceil(n / 2) bytes, on one thread.
     * What is drawn depends on (seed, generation, individual) alone: individual i of a population is drawn as row i of
     * the functions of lanewise.genome. A last half byte that no weight has is written as 0. a genome of random codes */
    void (*random_genome_uint8)(uint8_t *y, Py_ssize_t n, uint64_t seed, uint32_t generation, uint32_t individual);
    /* kind: 0 flips each bit with the rate, 1 flips each bit of the Gray code of a level's rank, 2 moves each weight to
     * a level next to its own, 3 draws its code anew. tables has 64 bytes: those of a lanewise.genome.Codebook. y may
     * be genome */
    void (*mutate_uint8)(const uint8_t *genome, uint8_t *y, Py_ssize_t n, double rate, int kind, const uint8_t *tables,
                         uint64_t seed, uint32_t generation, uint32_t individual);
    /* y takes from a and b, and sibling, which may be NULL, what is left: kind 0 by a fair coin for each weight, 1 for
     * each bit, 2 what lies between two places, of which `points` (1 or 2) are drawn. y may be a, and sibling b */
    void (*crossover_uint8)(const uint8_t *a, const uint8_t *b, uint8_t *y, uint8_t *sibling, Py_ssize_t n, int kind,
                            int points, uint64_t seed, uint32_t generation, uint32_t individual);

    /* lanewise.kernels.distances */
    /* How far two packed 4-bit genomes are apart, for those who cimport. how many bits of n weights differ, or,
     * by_weight, how many weights */
    Py_ssize_t (*hamming_distance_uint8)(const uint8_t *a, const uint8_t *b, Py_ssize_t n, int by_weight);

    /* lanewise.kernels.genome */
    /* weights[i] = levels[code i] * scales[i // group] + offsets[i // group], rounded once; offsets may be NULL */
    void (*decode_offset_float32)(const uint8_t *genome, const float *levels, const float *scales, const float *offsets,
                                  Py_ssize_t group, float *weights, Py_ssize_t n);

    /* lanewise.kernels.linear4 */
    /* the same of weights[o][i] = levels[code] * scales[o][i // group] + offsets[o][i // group], rounded once; offsets
     * may be NULL */
    int (*linear4_offset_float32)(const uint8_t *codes, const float *levels, const float *scales, const float *offsets,
                                  Py_ssize_t group, const float *bias, const float *x, float *y, Py_ssize_t rows,
                                  Py_ssize_t inputs, Py_ssize_t outputs, int num_threads);

    /* lanewise.kernels.ieee754 */
    void (*encode_float8_e5m2fnuz_float32)(const float *x, uint8_t *codes, Py_ssize_t n);
    void (*encode_float8_e4m3fnuz_float32)(const float *x, uint8_t *codes, Py_ssize_t n);
    void (*encode_float8_e4m3b11fnuz_float32)(const float *x, uint8_t *codes, Py_ssize_t n);
    void (*encode_float8_e4m3_float32)(const float *x, uint8_t *codes, Py_ssize_t n);
    void (*encode_float8_e3m4_float32)(const float *x, uint8_t *codes, Py_ssize_t n);
    void (*decode_float8_e5m2fnuz_float32)(const uint8_t *codes, float *y, Py_ssize_t n);
    void (*decode_float8_e4m3fnuz_float32)(const uint8_t *codes, float *y, Py_ssize_t n);
    void (*decode_float8_e4m3b11fnuz_float32)(const uint8_t *codes, float *y, Py_ssize_t n);
    void (*decode_float8_e4m3_float32)(const uint8_t *codes, float *y, Py_ssize_t n);
    void (*decode_float8_e3m4_float32)(const uint8_t *codes, float *y, Py_ssize_t n);

    /* lanewise.kernels.batch_norm */
    /* Batch norm by statistics that are known, for those who cimport it: x is (batch, channels, size), contiguous,
     * where size is the product of the axes behind the channels.  Of each channel, mean and variance are known, and
     * weight and bias, which may be NULL. y may be x. One thread; the caller's floating-point flags may be raised. */
    void (*batch_norm_float32)(const float *x, const float *mean, const float *variance, const float *weight,
                               const float *bias, double eps, float *y, Py_ssize_t batch, Py_ssize_t channels,
                               Py_ssize_t size);
    void (*batch_norm_float64)(const double *x, const double *mean, const double *variance, const double *weight,
                               const double *bias, double eps, double *y, Py_ssize_t batch, Py_ssize_t channels,
                               Py_ssize_t size);

    /* lanewise.kernels.normalize */
    /* Rows over their length, for those who cimport it: contiguous rows of n elements, one after the other; or over eps
     * where that is more. The length is that of any p above 0, as the Python function has it. Whether there was memory. */
    int (*normalize_float32)(const float *x, double p, double eps, float *y, Py_ssize_t rows, Py_ssize_t n);
    int (*normalize_float64)(const double *x, double p, double eps, double *y, Py_ssize_t rows, Py_ssize_t n);
    int (*normalize_backward_float32)(const float *grad, const float *x, double p, double eps, float *grad_x,
                                      Py_ssize_t rows, Py_ssize_t n);
    int (*normalize_backward_float64)(const double *grad, const double *x, double p, double eps, double *grad_x,
                                      Py_ssize_t rows, Py_ssize_t n);

    /* lanewise.kernels.norms */
    /* The same of the bits of 16-bit floats. These and all that follow: whether there was memory for what they have to
     * keep (of few rows at a time, or of sums over the rows); where there was none, nothing has been written. */
    int (*rms_norm_bfloat16)(const uint16_t *x, const uint16_t *weight, double eps, uint16_t *y, double *rstd,
                             Py_ssize_t rows, Py_ssize_t n);
    int (*rms_norm_float16)(const uint16_t *x, const uint16_t *weight, double eps, uint16_t *y, double *rstd,
                            Py_ssize_t rows, Py_ssize_t n);
    int (*layer_norm_bfloat16)(const uint16_t *x, const uint16_t *weight, const uint16_t *bias, double eps, uint16_t *y,
                               double *mean, double *rstd, Py_ssize_t rows, Py_ssize_t n);
    int (*layer_norm_float16)(const uint16_t *x, const uint16_t *weight, const uint16_t *bias, double eps, uint16_t *y,
                              double *mean, double *rstd, Py_ssize_t rows, Py_ssize_t n);
    /* new_residual = x + residual, and y is its rms_norm; new_residual may be residual */
    int (*add_rms_norm_float32)(const float *x, const float *residual, const float *weight, double eps, float *y,
                                float *new_residual, double *rstd, Py_ssize_t rows, Py_ssize_t n);
    int (*add_rms_norm_float64)(const double *x, const double *residual, const double *weight, double eps, double *y,
                                double *new_residual, double *rstd, Py_ssize_t rows, Py_ssize_t n);
    int (*add_rms_norm_bfloat16)(const uint16_t *x, const uint16_t *residual, const uint16_t *weight, double eps,
                                 uint16_t *y, uint16_t *new_residual, double *rstd, Py_ssize_t rows, Py_ssize_t n);
    int (*add_rms_norm_float16)(const uint16_t *x, const uint16_t *residual, const uint16_t *weight, double eps,
                                uint16_t *y, uint16_t *new_residual, double *rstd, Py_ssize_t rows, Py_ssize_t n);
    /* rstd, and mean, as the norm gave them. Sums over the rows may be NULL where they are not wanted, in float32 for
     * 16-bit floats; grad_x may be grad or x */
    int (*rms_norm_backward_float32)(const float *grad, const float *x, const float *weight, const double *rstd,
                                     float *grad_x, float *grad_weight, Py_ssize_t rows, Py_ssize_t n);
    int (*rms_norm_backward_float64)(const double *grad, const double *x, const double *weight, const double *rstd,
                                     double *grad_x, double *grad_weight, Py_ssize_t rows, Py_ssize_t n);
    int (*rms_norm_backward_bfloat16)(const uint16_t *grad, const uint16_t *x, const uint16_t *weight,
                                      const double *rstd, uint16_t *grad_x, float *grad_weight, Py_ssize_t rows,
                                      Py_ssize_t n);
    int (*rms_norm_backward_float16)(const uint16_t *grad, const uint16_t *x, const uint16_t *weight,
                                     const double *rstd, uint16_t *grad_x, float *grad_weight, Py_ssize_t rows,
                                     Py_ssize_t n);
    int (*layer_norm_backward_float32)(const float *grad, const float *x, const float *weight, const double *mean,
                                       const double *rstd, float *grad_x, float *grad_weight, float *grad_bias,
                                       Py_ssize_t rows, Py_ssize_t n);
    int (*layer_norm_backward_float64)(const double *grad, const double *x, const double *weight, const double *mean,
                                       const double *rstd, double *grad_x, double *grad_weight, double *grad_bias,
                                       Py_ssize_t rows, Py_ssize_t n);
    int (*layer_norm_backward_bfloat16)(const uint16_t *grad, const uint16_t *x, const uint16_t *weight,
                                        const double *mean, const double *rstd, uint16_t *grad_x, float *grad_weight,
                                        float *grad_bias, Py_ssize_t rows, Py_ssize_t n);
    int (*layer_norm_backward_float16)(const uint16_t *grad, const uint16_t *x, const uint16_t *weight,
                                       const double *mean, const double *rstd, uint16_t *grad_x, float *grad_weight,
                                       float *grad_bias, Py_ssize_t rows, Py_ssize_t n);
    /* x is (batch, channels, size), where size is the product of the axes behind the channels; groups divides the
     * channels. weight and bias have as many elements as there are channels, or are NULL; statistics are (batch,
     * groups), or NULL */
    int (*group_norm_float32)(const float *x, const float *weight, const float *bias, double eps, float *y,
                              double *mean, double *rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                              Py_ssize_t groups);
    int (*group_norm_float64)(const double *x, const double *weight, const double *bias, double eps, double *y,
                              double *mean, double *rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                              Py_ssize_t groups);

    /* lanewise.kernels.softmax */
    /* The same of the bits of 16-bit floats. These and all that follow: whether there was memory for what they have to
     * keep of few rows at a time; where there was none, nothing has been written. */
    int (*softmax_bfloat16)(const uint16_t *x, uint16_t *y, Py_ssize_t rows, Py_ssize_t n);
    int (*softmax_float16)(const uint16_t *x, uint16_t *y, Py_ssize_t rows, Py_ssize_t n);
    int (*log_softmax_bfloat16)(const uint16_t *x, uint16_t *y, Py_ssize_t rows, Py_ssize_t n);
    int (*log_softmax_float16)(const uint16_t *x, uint16_t *y, Py_ssize_t rows, Py_ssize_t n);
    /* y as the softmax gave it; grad_x may be grad or y */
    int (*softmax_backward_float32)(const float *grad, const float *y, float *grad_x, Py_ssize_t rows, Py_ssize_t n);
    int (*softmax_backward_float64)(const double *grad, const double *y, double *grad_x, Py_ssize_t rows, Py_ssize_t n);
    int (*softmax_backward_bfloat16)(const uint16_t *grad, const uint16_t *y, uint16_t *grad_x, Py_ssize_t rows,
                                     Py_ssize_t n);
    int (*softmax_backward_float16)(const uint16_t *grad, const uint16_t *y, uint16_t *grad_x, Py_ssize_t rows,
                                    Py_ssize_t n);
    int (*log_softmax_backward_float32)(const float *grad, const float *y, float *grad_x, Py_ssize_t rows,
                                        Py_ssize_t n);
    int (*log_softmax_backward_float64)(const double *grad, const double *y, double *grad_x, Py_ssize_t rows,
                                        Py_ssize_t n);
    int (*log_softmax_backward_bfloat16)(const uint16_t *grad, const uint16_t *y, uint16_t *grad_x, Py_ssize_t rows,
                                         Py_ssize_t n);
    int (*log_softmax_backward_float16)(const uint16_t *grad, const uint16_t *y, uint16_t *grad_x, Py_ssize_t rows,
                                        Py_ssize_t n);
    /* one logarithm a row, in float64; the Python function rounds it to the dtype of x */
    int (*logsumexp_float32)(const float *x, double *y, Py_ssize_t rows, Py_ssize_t n);
    int (*logsumexp_float64)(const double *x, double *y, Py_ssize_t rows, Py_ssize_t n);

    /* lanewise.kernels.draws */
    /* Random numbers for those who cimport them: y[i] is decided by key, generation and i, and by nothing else. One
     * thread. start + scale * u, u uniform in [0, 1) */
    void (*uniform_float32)(uint64_t key, uint32_t generation, double start, double scale, float *y, Py_ssize_t n);
    void (*uniform_float64)(uint64_t key, uint32_t generation, double start, double scale, double *y, Py_ssize_t n);
    /* mean + deviation * a standard normal number */
    void (*normal_float32)(uint64_t key, uint32_t generation, double mean, double deviation, float *y, Py_ssize_t n);
    void (*normal_float64)(uint64_t key, uint32_t generation, double mean, double deviation, double *y, Py_ssize_t n);

    /* lanewise.kernels.halting */
    /* Halting for those who cimport it: contiguous rows of n steps, on one thread. Nothing is checked: n is 1 or more.
     * PonderNet: the logarithm of the probability to halt at each step, and the probability; either may be NULL */
    void (*halting_distribution_float32)(const float *logits, float *log_p, float *p, Py_ssize_t rows, Py_ssize_t n);
    void (*halting_distribution_float64)(const double *logits, double *log_p, double *p, Py_ssize_t rows, Py_ssize_t n);
    /* The loss of each row with the losses of its steps, and what the gradients of its sum are made of: grad_logits,
     * and p, that of the steps' losses. log_prior is the logarithm of the prior's first step, log_rest what each
     * further step adds: of prior q, log(q) - log(1 - (1 - q)^n) and log(1 - q). loss, or p and grad_logits, may be
     * NULL. */
    void (*ponder_loss_float32)(const float *logits, const float *step_losses, double log_prior, double log_rest,
                                double beta, double *loss, float *p, float *grad_logits, Py_ssize_t rows, Py_ssize_t n);
    void (*ponder_loss_float64)(const double *logits, const double *step_losses, double log_prior, double log_rest,
                                double beta, double *loss, double *p, double *grad_logits, Py_ssize_t rows,
                                Py_ssize_t n);
    /* the step, from 0, at which each row halts where log_u holds the logarithm of a uniform number in (0, 1] */
    void (*sample_halting_float32)(const float *logits, const double *log_u, int64_t *steps, Py_ssize_t rows,
                                   Py_ssize_t n);
    void (*sample_halting_float64)(const double *logits, const double *log_u, int64_t *steps, Py_ssize_t rows,
                                   Py_ssize_t n);
    /* ACT: weights of the steps, and of each row the remainder, the ponder cost and how many steps are taken */
    void (*act_halting_float32)(const float *h, double eps, float *weights, float *remainder, float *cost,
                                int64_t *steps, Py_ssize_t rows, Py_ssize_t n);
    void (*act_halting_float64)(const double *h, double eps, double *weights, double *remainder, double *cost,
                                int64_t *steps, Py_ssize_t rows, Py_ssize_t n);

    /* lanewise.kernels.layers */
    /* What layers need beside the other kernels, for those who cimport it: on one thread. y = 0 with probability p,
     * else x / (1 - p); which, is decided by key, generation and the place of an element: so the gradient's call with
     * the same drops the same. y may be x. */
    void (*dropout_float32)(const float *x, double p, uint64_t key, uint32_t generation, float *y, Py_ssize_t n);
    void (*dropout_float64)(const double *x, double p, uint64_t key, uint32_t generation, double *y, Py_ssize_t n);
    /* y[n] = the sum of the rows of x, each of n numbers: the gradient of a bias */
    void (*sum_rows_float32)(const float *x, float *y, Py_ssize_t rows, Py_ssize_t n);
    void (*sum_rows_float64)(const double *x, double *y, Py_ssize_t rows, Py_ssize_t n);

    /* lanewise.kernels.linear4_int */
    /* linear4 on whole numbers, for those who cimport. As linear4_offset_float32, but x[row] is rounded to whole parts
     * of its largest magnitude, 32639 of them if bits is 16 and 127 if it is 8, and weights[o][i] = steps[code] * step
     * * scales[o][i // group] + offsets[o][i // group], of steps from -128 to 128. Sums of whole numbers are exact; a
     * row with a NaN or an infinity is NaN throughout. Returns whether it was done: not where bits is neither, or there
     * was no memory. */
    int (*linear4_int_float32)(const uint8_t *codes, const int16_t *steps, double step, const float *scales,
                               const float *offsets, Py_ssize_t group, const float *bias, const float *x, float *y,
                               Py_ssize_t rows, Py_ssize_t inputs, Py_ssize_t outputs, int bits, int num_threads);

    /* lanewise.kernels.optimise */
    /* Steps of optimisers for those who cimport them: one array of n parameters, in place, on one thread. The arrays
     * may not overlap. Nothing is checked. param -= lr * velocity, where velocity = momentum * velocity + (1 -
     * dampening) * g, g = grad + weight_decay * param; with nesterov param -= lr * (g + momentum * velocity). velocity
     * is NULL where there is no momentum. (torch.optim.SGD begins with a velocity that is the first gradient,
     * undampened.) */
    void (*sgd_step_float32)(float *param, const float *grad, float *velocity, double lr, double momentum,
                             double dampening, int nesterov, double weight_decay, Py_ssize_t n);
    void (*sgd_step_float64)(double *param, const double *grad, double *velocity, double lr, double momentum,
                             double dampening, int nesterov, double weight_decay, Py_ssize_t n);
    /* first and second are running means of the gradient and of its square, which begin as 0; step counts from 1 */
    void (*adamw_step_float32)(float *param, const float *grad, float *first, float *second, double step, double lr,
                               double beta1, double beta2, double eps, double weight_decay, Py_ssize_t n);
    void (*adamw_step_float64)(double *param, const double *grad, double *first, double *second, double step, double lr,
                               double beta1, double beta2, double eps, double weight_decay, Py_ssize_t n);
    /* the norm to clip by: the sum of |scale * x| (p = 1) or of its squares (p = 2) */
    double (*sum_powers_float32)(const float *x, double p, double scale, Py_ssize_t n);
    double (*sum_powers_float64)(const double *x, double p, double scale, Py_ssize_t n);

    /* lanewise.kernels.point_losses */
    /* Losses of pairs of numbers for those who cimport them: contiguous arrays of n elements, on one thread. y may be
     * x, and so may grad_x. grad has n elements, or is NULL: then it is 1 for all. */
    void (*mse_float32)(const float *x, const float *target, float *y, Py_ssize_t n);
    void (*mse_backward_float32)(const float *grad, const float *x, const float *target, float *grad_x, Py_ssize_t n);
    void (*mse_float64)(const double *x, const double *target, double *y, Py_ssize_t n);
    void (*mse_backward_float64)(const double *grad, const double *x, const double *target, double *grad_x,
                                 Py_ssize_t n);
    void (*l1_float32)(const float *x, const float *target, float *y, Py_ssize_t n);
    void (*l1_backward_float32)(const float *grad, const float *x, const float *target, float *grad_x, Py_ssize_t n);
    void (*l1_float64)(const double *x, const double *target, double *y, Py_ssize_t n);
    void (*l1_backward_float64)(const double *grad, const double *x, const double *target, double *grad_x,
                                Py_ssize_t n);
    void (*huber_float32)(const float *x, const float *target, double delta, float *y, Py_ssize_t n);
    void (*huber_backward_float32)(const float *grad, const float *x, const float *target, double delta, float *grad_x,
                                   Py_ssize_t n);
    void (*huber_float64)(const double *x, const double *target, double delta, double *y, Py_ssize_t n);
    void (*huber_backward_float64)(const double *grad, const double *x, const double *target, double delta,
                                   double *grad_x, Py_ssize_t n);
    void (*binary_cross_entropy_with_logits_float32)(const float *x, const float *target, float *y, Py_ssize_t n);
    void (*binary_cross_entropy_with_logits_backward_float32)(const float *grad, const float *x, const float *target,
                                                              float *grad_x, Py_ssize_t n);
    void (*binary_cross_entropy_with_logits_float64)(const double *x, const double *target, double *y, Py_ssize_t n);
    void (*binary_cross_entropy_with_logits_backward_float64)(const double *grad, const double *x, const double *target,
                                                              double *grad_x, Py_ssize_t n);

    /* lanewise.kernels.reparameterise */
    /* The reparametrised normal and its divergence from the standard one, for those who cimport them: contiguous arrays
     * of n elements, on one thread. An output may be the input at the same place. z = mu + exp(logvar / 2) eps */
    void (*reparameterize_float32)(const float *mu, const float *logvar, const float *eps, float *z, Py_ssize_t n);
    void (*reparameterize_float64)(const double *mu, const double *logvar, const double *eps, double *z, Py_ssize_t n);
    /* with respect to logvar; with respect to mu it is grad */
    void (*reparameterize_backward_float32)(const float *grad, const float *logvar, const float *eps,
                                            float *grad_logvar, Py_ssize_t n);
    void (*reparameterize_backward_float64)(const double *grad, const double *logvar, const double *eps,
                                            double *grad_logvar, Py_ssize_t n);
    /* y[rows] = the sum over a row of n dimensions of (mu^2 + exp(logvar) - 1 - logvar) / 2 */
    void (*kl_standard_normal_float32)(const float *mu, const float *logvar, float *y, Py_ssize_t rows, Py_ssize_t n);
    void (*kl_standard_normal_float64)(const double *mu, const double *logvar, double *y, Py_ssize_t rows,
                                       Py_ssize_t n);
    /* grad has n elements here: that of its row, for each dimension */
    void (*kl_standard_normal_backward_float32)(const float *grad, const float *mu, const float *logvar, float *grad_mu,
                                                float *grad_logvar, Py_ssize_t n);
    void (*kl_standard_normal_backward_float64)(const double *grad, const double *mu, const double *logvar,
                                                double *grad_mu, double *grad_logvar, Py_ssize_t n);

    /* lanewise.kernels.activations */
    void (*softplus_threshold_float32)(const float *x, const float *beta, const float *at, float *y, Py_ssize_t n);
    void (*softplus_threshold_float64)(const double *x, const double *beta, const double *at, double *y, Py_ssize_t n);
    void (*selu_scaled_float32)(const float *x, const float *alpha, const float *gamma, float *y, Py_ssize_t n);
    void (*selu_scaled_float64)(const double *x, const double *alpha, const double *gamma, double *y, Py_ssize_t n);
    void (*hardsigmoid_scaled_float32)(const float *x, const float *alpha, const float *beta, float *y, Py_ssize_t n);
    void (*hardsigmoid_scaled_float64)(const double *x, const double *alpha, const double *beta, double *y,
                                       Py_ssize_t n);
    void (*softplus_threshold_backward_float32)(const float *grad, const float *x, const float *beta, const float *at,
                                                float *grad_x, Py_ssize_t n);
    void (*softplus_threshold_backward_float64)(const double *grad, const double *x, const double *beta,
                                                const double *at, double *grad_x, Py_ssize_t n);
    void (*selu_scaled_backward_float32)(const float *grad, const float *x, const float *alpha, const float *gamma,
                                         float *grad_x, Py_ssize_t n);
    void (*selu_scaled_backward_float64)(const double *grad, const double *x, const double *alpha, const double *gamma,
                                         double *grad_x, Py_ssize_t n);
    void (*hardsigmoid_scaled_backward_float32)(const float *grad, const float *x, const float *alpha,
                                                const float *beta, float *grad_x, Py_ssize_t n);
    void (*hardsigmoid_scaled_backward_float64)(const double *grad, const double *x, const double *alpha,
                                                const double *beta, double *grad_x, Py_ssize_t n);
    void (*softplus_threshold_scalar_float32)(const float *x, float beta, float at, float *y, Py_ssize_t n);
    void (*softplus_threshold_scalar_float64)(const double *x, double beta, double at, double *y, Py_ssize_t n);
    void (*selu_scaled_scalar_float32)(const float *x, float alpha, float gamma, float *y, Py_ssize_t n);
    void (*selu_scaled_scalar_float64)(const double *x, double alpha, double gamma, double *y, Py_ssize_t n);
    void (*hardsigmoid_scaled_scalar_float32)(const float *x, float alpha, float beta, float *y, Py_ssize_t n);
    void (*hardsigmoid_scaled_scalar_float64)(const double *x, double alpha, double beta, double *y, Py_ssize_t n);
    void (*softplus_threshold_backward_scalar_float32)(const float *grad, const float *x, float beta, float at,
                                                       float *grad_x, Py_ssize_t n);
    void (*softplus_threshold_backward_scalar_float64)(const double *grad, const double *x, double beta, double at,
                                                       double *grad_x, Py_ssize_t n);
    void (*selu_scaled_backward_scalar_float32)(const float *grad, const float *x, float alpha, float gamma,
                                                float *grad_x, Py_ssize_t n);
    void (*selu_scaled_backward_scalar_float64)(const double *grad, const double *x, double alpha, double gamma,
                                                double *grad_x, Py_ssize_t n);
    void (*hardsigmoid_scaled_backward_scalar_float32)(const float *grad, const float *x, float alpha, float beta,
                                                       float *grad_x, Py_ssize_t n);
    void (*hardsigmoid_scaled_backward_scalar_float64)(const double *grad, const double *x, double alpha, double beta,
                                                       double *grad_x, Py_ssize_t n);
    void (*log1mexp_float32)(const float *x, float *y, Py_ssize_t n);
    void (*log1mexp_float64)(const double *x, double *y, Py_ssize_t n);
    void (*swiglu_clamped_float32)(const float *gate, const float *up, const float *beta, const float *limit,
                                   const float *shift, float *y, Py_ssize_t n);
    void (*swiglu_clamped_float64)(const double *gate, const double *up, const double *beta, const double *limit,
                                   const double *shift, double *y, Py_ssize_t n);
    void (*swiglu_clamped_backward_float32)(const float *grad, const float *gate, const float *up, const float *beta,
                                            const float *limit, const float *shift, float *grad_gate, float *grad_up,
                                            Py_ssize_t n);
    void (*swiglu_clamped_backward_float64)(const double *grad, const double *gate, const double *up,
                                            const double *beta, const double *limit, const double *shift,
                                            double *grad_gate, double *grad_up, Py_ssize_t n);
    double (*log1mexp_point_float64)(double x);
    void (*swiglu_clamped_scalar_float32)(const float *gate, const float *up, float beta, float limit, float shift,
                                          float *y, Py_ssize_t n);
    void (*swiglu_clamped_scalar_float64)(const double *gate, const double *up, double beta, double limit, double shift,
                                          double *y, Py_ssize_t n);
    void (*swiglu_clamped_backward_scalar_float32)(const float *grad, const float *gate, const float *up, float beta,
                                                   float limit, float shift, float *grad_gate, float *grad_up,
                                                   Py_ssize_t n);
    void (*swiglu_clamped_backward_scalar_float64)(const double *grad, const double *gate, const double *up,
                                                   double beta, double limit, double shift, double *grad_gate,
                                                   double *grad_up, Py_ssize_t n);

    /* lanewise.kernels.normalize */
    /* Rows whose pairs are turned by an angle each: neighbours if interleaved, elements i and i + pairs if not, and 2
     * pairs <= n. cosines and sines have rows of `pairs` numbers. y may be x, grad_x may be grad. */
    void (*rotary_embedding_float32)(const float *x, const float *cosines, const float *sines, int interleaved,
                                     float *y, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t pairs);
    void (*rotary_embedding_float64)(const double *x, const double *cosines, const double *sines, int interleaved,
                                     double *y, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t pairs);
    void (*rotary_embedding_backward_float32)(const float *grad, const float *cosines, const float *sines,
                                              int interleaved, float *grad_x, Py_ssize_t rows, Py_ssize_t n,
                                              Py_ssize_t pairs);
    void (*rotary_embedding_backward_float64)(const double *grad, const double *cosines, const double *sines,
                                              int interleaved, double *grad_x, Py_ssize_t rows, Py_ssize_t n,
                                              Py_ssize_t pairs);

    /* lanewise.kernels.softmax */
    /* Attention's own row: softmax of scale x, 0 where a key is hidden. mask has a byte for each element, not 0 where a
     * key is seen; of row i the first counts[i] keys are seen, which makes a row causal. Both may be NULL. */
    int (*masked_softmax_float32)(const float *x, const uint8_t *mask, const double *counts, double scale, float *y,
                                  Py_ssize_t rows, Py_ssize_t n);
    int (*masked_softmax_float64)(const double *x, const uint8_t *mask, const double *counts, double scale, double *y,
                                  Py_ssize_t rows, Py_ssize_t n);
    int (*masked_softmax_bfloat16)(const uint16_t *x, const uint8_t *mask, const double *counts, double scale,
                                   uint16_t *y, Py_ssize_t rows, Py_ssize_t n);
    int (*masked_softmax_float16)(const uint16_t *x, const uint8_t *mask, const double *counts, double scale,
                                  uint16_t *y, Py_ssize_t rows, Py_ssize_t n);
    /* the gradient of its scores, y as it gave it; grad_x may be grad or y */
    int (*masked_softmax_backward_float32)(const float *grad, const float *y, double scale, float *grad_x,
                                           Py_ssize_t rows, Py_ssize_t n);
    int (*masked_softmax_backward_float64)(const double *grad, const double *y, double scale, double *grad_x,
                                           Py_ssize_t rows, Py_ssize_t n);
    int (*masked_softmax_backward_bfloat16)(const uint16_t *grad, const uint16_t *y, double scale, uint16_t *grad_x,
                                            Py_ssize_t rows, Py_ssize_t n);
    int (*masked_softmax_backward_float16)(const uint16_t *grad, const uint16_t *y, double scale, uint16_t *grad_x,
                                           Py_ssize_t rows, Py_ssize_t n);

    /* lanewise.kernels.batch_norm */
    /* By statistics of the batch, whose channels have two elements or more. Mean, variance (which divides by how many
     * there are, and not by one less) and rstd of each channel are given back where they are not NULL. These and the
     * gradients return whether there was memory for the sums; where there was none, nothing has been written. The bits
     * are those of Python's functions. */
    int (*batch_norm_training_float32)(const float *x, const float *weight, const float *bias, double eps, float *y,
                                       double *mean, double *variance, double *rstd, Py_ssize_t batch,
                                       Py_ssize_t channels, Py_ssize_t size);
    int (*batch_norm_training_float64)(const double *x, const double *weight, const double *bias, double eps, double *y,
                                       double *mean, double *variance, double *rstd, Py_ssize_t batch,
                                       Py_ssize_t channels, Py_ssize_t size);
    /* training is 1 where the forward's statistics were those of the batch, 0 where they were known. grad_x may be grad
     * or x; grad_weight and grad_bias, of each channel, may be NULL */
    int (*batch_norm_backward_float32)(const float *grad, const float *x, const float *weight, const double *mean,
                                       const double *rstd, int training, float *grad_x, float *grad_weight,
                                       float *grad_bias, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size);
    int (*batch_norm_backward_float64)(const double *grad, const double *x, const double *weight, const double *mean,
                                       const double *rstd, int training, double *grad_x, double *grad_weight,
                                       double *grad_bias, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size);

    /* lanewise.kernels.draws */
    /* The generator itself, Philox4x32-10 of Salmon et al.: four words of each counter from a first one, of 128 bits,
     * on */
    void (*philox_uint32)(uint64_t key, uint64_t counter_low, uint64_t counter_high, uint32_t *y, Py_ssize_t n);

    /* lanewise.kernels.layers */
    /* y[rows, n] = relu(y + bias[n]): what follows the product of a linear layer, in one pass */
    void (*bias_relu_float32)(const float *bias, float *y, Py_ssize_t rows, Py_ssize_t n);
    void (*bias_relu_float64)(const double *bias, double *y, Py_ssize_t rows, Py_ssize_t n);
    /* the way back, of the gradient arriving and of y as bias_relu made it: grad_x[rows, n] = grad where y > 0, else 0,
     * and grad_bias[n] = the sum of its rows. grad_x may be grad. */
    void (*bias_relu_backward_float32)(const float *grad, const float *y, float *grad_x, float *grad_bias,
                                       Py_ssize_t rows, Py_ssize_t n);
    void (*bias_relu_backward_float64)(const double *grad, const double *y, double *grad_x, double *grad_bias,
                                       Py_ssize_t rows, Py_ssize_t n);

    /* lanewise.kernels.losses */
    /* The sum of the losses, in the one order of lanewise.cross_entropy, divided by what a mean is divided by: how many
     * rows count, or the sum of their weights (which this gives too, with a divisor of 1); 1 for reduction="sum" */
    double (*mean_loss_float64)(const double *losses, double divisor, Py_ssize_t n);

    /* lanewise.kernels.norms */
    /* statistics as the norm gave them, (batch, groups); grad_x may be grad or x, and grad_weight and grad_bias, of
     * each channel, may be NULL */
    int (*group_norm_backward_float32)(const float *grad, const float *x, const float *weight, const double *mean,
                                       const double *rstd, float *grad_x, float *grad_weight, float *grad_bias,
                                       Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size, Py_ssize_t groups);
    int (*group_norm_backward_float64)(const double *grad, const double *x, const double *weight, const double *mean,
                                       const double *rstd, double *grad_x, double *grad_weight, double *grad_bias,
                                       Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size, Py_ssize_t groups);

    /* lanewise.kernels.batch_norm */
    /* the same of the bits of 16-bit floats, with float32 for each channel */
    void (*batch_norm_bfloat16)(const uint16_t *x, const float *mean, const float *variance, const float *weight,
                                const float *bias, double eps, uint16_t *y, Py_ssize_t batch, Py_ssize_t channels,
                                Py_ssize_t size);
    void (*batch_norm_float16)(const uint16_t *x, const float *mean, const float *variance, const float *weight,
                               const float *bias, double eps, uint16_t *y, Py_ssize_t batch, Py_ssize_t channels,
                               Py_ssize_t size);

    /* lanewise.kernels.ieee754 */
    /* the neighbours above and below, as IEEE 754's nextUp and nextDown; how many numbers a and b are apart (two NaNs
     * 0, a NaN and a number 2^63 - 1); 1 where x is whole and counts exactly (up to 2^24, of float64 to 2^53), else 0 */
    void (*next_up_float32)(const float *x, float *y, Py_ssize_t n);
    void (*next_down_float32)(const float *x, float *y, Py_ssize_t n);
    void (*ulp_distance_float32)(const float *a, const float *b, int64_t *distance, Py_ssize_t n);
    void (*is_exact_integer_float32)(const float *x, uint8_t *exact, Py_ssize_t n);
    void (*next_up_float64)(const double *x, double *y, Py_ssize_t n);
    void (*next_down_float64)(const double *x, double *y, Py_ssize_t n);
    void (*ulp_distance_float64)(const double *a, const double *b, int64_t *distance, Py_ssize_t n);
    void (*is_exact_integer_float64)(const double *x, uint8_t *exact, Py_ssize_t n);
    /* Rows of n numbers in blocks that share a scale, 32 each (of nvfp4 16), of which the last of a row may have fewer:
     * codes[rows, n], one a byte, and scales[rows, ceil(n / block)], as lanewise.ieee754.mx_encode describes them;
     * numbers go to the nearest, ties to even */
    void (*encode_mxfp8_e5m2_float32)(const float *x, uint8_t *codes, uint8_t *scales, Py_ssize_t rows, Py_ssize_t n);
    void (*encode_mxfp8_e4m3_float32)(const float *x, uint8_t *codes, uint8_t *scales, Py_ssize_t rows, Py_ssize_t n);
    void (*encode_mxfp6_e3m2_float32)(const float *x, uint8_t *codes, uint8_t *scales, Py_ssize_t rows, Py_ssize_t n);
    void (*encode_mxfp6_e2m3_float32)(const float *x, uint8_t *codes, uint8_t *scales, Py_ssize_t rows, Py_ssize_t n);
    void (*encode_mxfp4_float32)(const float *x, uint8_t *codes, uint8_t *scales, Py_ssize_t rows, Py_ssize_t n);
    void (*encode_mxint8_float32)(const float *x, uint8_t *codes, uint8_t *scales, Py_ssize_t rows, Py_ssize_t n);
    void (*encode_nvfp4_float32)(const float *x, float tensor_scale, uint8_t *codes, uint8_t *scales, Py_ssize_t rows,
                                 Py_ssize_t n);
    /* the scale of the array that lanewise.ieee754.mx_encode chooses for n numbers: the largest finite magnitude over
     * 2688 */
    float (*nvfp4_scale_float32)(const float *x, Py_ssize_t n);
    /* each element times the scale of its block; NaN where that is NaN */
    void (*decode_mxfp8_e5m2_float32)(const uint8_t *codes, const uint8_t *scales, float *y, Py_ssize_t rows,
                                      Py_ssize_t n);
    void (*decode_mxfp8_e4m3_float32)(const uint8_t *codes, const uint8_t *scales, float *y, Py_ssize_t rows,
                                      Py_ssize_t n);
    void (*decode_mxfp6_e3m2_float32)(const uint8_t *codes, const uint8_t *scales, float *y, Py_ssize_t rows,
                                      Py_ssize_t n);
    void (*decode_mxfp6_e2m3_float32)(const uint8_t *codes, const uint8_t *scales, float *y, Py_ssize_t rows,
                                      Py_ssize_t n);
    void (*decode_mxfp4_float32)(const uint8_t *codes, const uint8_t *scales, float *y, Py_ssize_t rows, Py_ssize_t n);
    void (*decode_mxint8_float32)(const uint8_t *codes, const uint8_t *scales, float *y, Py_ssize_t rows, Py_ssize_t n);
    void (*decode_nvfp4_float32)(const uint8_t *codes, const uint8_t *scales, float tensor_scale, float *y,
                                 Py_ssize_t rows, Py_ssize_t n);

    /* lanewise.kernels.norms */
    /* the same of the bits of 16-bit floats, with float32 for each channel */
    int (*group_norm_bfloat16)(const uint16_t *x, const float *weight, const float *bias, double eps, uint16_t *y,
                               double *mean, double *rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                               Py_ssize_t groups);
    int (*group_norm_float16)(const uint16_t *x, const float *weight, const float *bias, double eps, uint16_t *y,
                              double *mean, double *rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                              Py_ssize_t groups);

    /* lanewise.kernels.softmax */
    /* its gradient, of one number arriving at each row */
    int (*logsumexp_backward_float32)(const double *grad, const float *x, float *grad_x, Py_ssize_t rows, Py_ssize_t n);
    int (*logsumexp_backward_float64)(const double *grad, const double *x, double *grad_x, Py_ssize_t rows,
                                      Py_ssize_t n);
    /* the same of one window of n numbers, for SciPy's generic_filter by its LowLevelCallable; data is not looked at */
    int (*logsumexp_window_float64)(double *x, Py_ssize_t n, double *y, void *data);

    /* lanewise.kernels.batch_norm */
    /* of 16 bits as above */
    int (*batch_norm_training_bfloat16)(const uint16_t *x, const float *weight, const float *bias, double eps,
                                        uint16_t *y, double *mean, double *variance, double *rstd, Py_ssize_t batch,
                                        Py_ssize_t channels, Py_ssize_t size);
    int (*batch_norm_training_float16)(const uint16_t *x, const float *weight, const float *bias, double eps,
                                       uint16_t *y, double *mean, double *variance, double *rstd, Py_ssize_t batch,
                                       Py_ssize_t channels, Py_ssize_t size);
    /* of 16 bits as above */
    int (*batch_norm_backward_bfloat16)(const uint16_t *grad, const uint16_t *x, const float *weight,
                                        const double *mean, const double *rstd, int training, uint16_t *grad_x,
                                        float *grad_weight, float *grad_bias, Py_ssize_t batch, Py_ssize_t channels,
                                        Py_ssize_t size);
    int (*batch_norm_backward_float16)(const uint16_t *grad, const uint16_t *x, const float *weight, const double *mean,
                                       const double *rstd, int training, uint16_t *grad_x, float *grad_weight,
                                       float *grad_bias, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size);

    /* lanewise.kernels.norms */
    /* of 16 bits as above */
    int (*group_norm_backward_bfloat16)(const uint16_t *grad, const uint16_t *x, const float *weight,
                                        const double *mean, const double *rstd, uint16_t *grad_x, float *grad_weight,
                                        float *grad_bias, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                                        Py_ssize_t groups);
    int (*group_norm_backward_float16)(const uint16_t *grad, const uint16_t *x, const float *weight, const double *mean,
                                       const double *rstd, uint16_t *grad_x, float *grad_weight, float *grad_bias,
                                       Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size, Py_ssize_t groups);

    /* lanewise.kernels.activations */
    void (*swiglu_beta_float32)(const float *gate, const float *up, const float *beta, float *y, Py_ssize_t n);
    void (*swiglu_beta_float64)(const double *gate, const double *up, const double *beta, double *y, Py_ssize_t n);
    void (*swiglu_beta_scalar_float32)(const float *gate, const float *up, float beta, float *y, Py_ssize_t n);
    void (*swiglu_beta_scalar_float64)(const double *gate, const double *up, double beta, double *y, Py_ssize_t n);
} lanewise_table;

#ifdef __cplusplus
inline const lanewise_table *lanewise = nullptr;
#else
static const lanewise_table *lanewise; /* in each source file: each that calls kernels imports */
#endif

/* 0, or -1 with an exception set. With the GIL; again is free of charge. */
static inline int lanewise_import(void) {
    static const char *const names[] = {
        "enter", "leave", "num_threads", "exp_float32", "exp_float64", "expm1_float32", "expm1_float64", "log_float32",
        "log_float64", "log1p_float32", "log1p_float64", "erf_float32", "erf_float64", "erfc_float32", "erfc_float64",
        "relu_float32", "relu_float64", "relu6_float32", "relu6_float64", "relu_squared_float32",
        "relu_squared_float64", "sigmoid_float32", "sigmoid_float64", "tanh_float32", "tanh_float64", "silu_float32",
        "silu_float64", "gelu_float32", "gelu_float64", "gelu_tanh_float32", "gelu_tanh_float64", "mish_float32",
        "mish_float64", "softsign_float32", "softsign_float64", "softplus_float32", "softplus_float64",
        "logsigmoid_float32", "logsigmoid_float64", "selu_float32", "selu_float64", "tanhshrink_float32",
        "tanhshrink_float64", "hardsigmoid_float32", "hardsigmoid_float64", "hardswish_float32", "hardswish_float64",
        "leaky_relu_float32", "leaky_relu_float64", "elu_float32", "elu_float64", "celu_float32", "celu_float64",
        "swish_float32", "swish_float64", "softplus_scaled_float32", "softplus_scaled_float64", "softshrink_float32",
        "softshrink_float64", "hardshrink_float32", "hardshrink_float64", "squareplus_float32", "squareplus_float64",
        "hardtanh_float32", "hardtanh_float64", "threshold_float32", "threshold_float64", "glu_float32", "glu_float64",
        "swiglu_float32", "swiglu_float64", "geglu_float32", "geglu_float64", "reglu_float32", "reglu_float64",
        "relu_backward_float32", "relu_backward_float64", "relu6_backward_float32", "relu6_backward_float64",
        "relu_squared_backward_float32", "relu_squared_backward_float64", "sigmoid_backward_float32",
        "sigmoid_backward_float64", "tanh_backward_float32", "tanh_backward_float64", "silu_backward_float32",
        "silu_backward_float64", "gelu_backward_float32", "gelu_backward_float64", "gelu_tanh_backward_float32",
        "gelu_tanh_backward_float64", "mish_backward_float32", "mish_backward_float64", "softsign_backward_float32",
        "softsign_backward_float64", "softplus_backward_float32", "softplus_backward_float64",
        "logsigmoid_backward_float32", "logsigmoid_backward_float64", "selu_backward_float32", "selu_backward_float64",
        "tanhshrink_backward_float32", "tanhshrink_backward_float64", "hardsigmoid_backward_float32",
        "hardsigmoid_backward_float64", "hardswish_backward_float32", "hardswish_backward_float64",
        "leaky_relu_backward_float32", "leaky_relu_backward_float64", "prelu_weight_backward_float32",
        "prelu_weight_backward_float64", "elu_backward_float32", "elu_backward_float64", "celu_backward_float32",
        "celu_backward_float64", "swish_backward_float32", "swish_backward_float64", "softplus_scaled_backward_float32",
        "softplus_scaled_backward_float64", "shrink_backward_float32", "shrink_backward_float64",
        "squareplus_backward_float32", "squareplus_backward_float64", "hardtanh_backward_float32",
        "hardtanh_backward_float64", "threshold_backward_float32", "threshold_backward_float64", "glu_backward_float32",
        "glu_backward_float64", "swiglu_backward_float32", "swiglu_backward_float64", "geglu_backward_float32",
        "geglu_backward_float64", "reglu_backward_float32", "reglu_backward_float64", "pack_uint8", "unpack_uint8",
        "decode_float32", "encode_float32", "best_scale_float32", "decompose_float32", "decompose_float64",
        "compose_float32", "compose_float64", "classify_float32", "classify_float64", "ulp_float32", "ulp_float64",
        "encode_binary16_float32", "encode_bfloat16_float32", "encode_float8_e5m2_float32",
        "encode_float8_e4m3fn_float32", "encode_float8_e8m0fnu_float32", "encode_float6_e3m2fn_float32",
        "encode_float6_e2m3fn_float32", "encode_float4_e2m1fn_float32", "decode_binary16_float32",
        "decode_bfloat16_float32", "decode_float8_e5m2_float32", "decode_float8_e4m3fn_float32",
        "decode_float8_e8m0fnu_float32", "decode_float6_e3m2fn_float32", "decode_float6_e2m3fn_float32",
        "decode_float4_e2m1fn_float32", "linear4_float32", "cross_entropy_float32", "cross_entropy_float64",
        "rms_norm_float32", "rms_norm_float64", "layer_norm_float32", "layer_norm_float64", "tile_float32",
        "softmax_float32", "softmax_float64", "log_softmax_float32", "log_softmax_float64", "exp_point_float64",
        "expm1_point_float64", "log_point_float64", "log1p_point_float64", "erf_point_float64", "erfc_point_float64",
        "relu_point_float64", "relu6_point_float64", "relu_squared_point_float64", "sigmoid_point_float64",
        "tanh_point_float64", "silu_point_float64", "gelu_point_float64", "gelu_tanh_point_float64",
        "mish_point_float64", "softsign_point_float64", "softplus_point_float64", "logsigmoid_point_float64",
        "selu_point_float64", "tanhshrink_point_float64", "hardsigmoid_point_float64", "hardswish_point_float64",
        "leaky_relu_scalar_float32", "leaky_relu_scalar_float64", "elu_scalar_float32", "elu_scalar_float64",
        "celu_scalar_float32", "celu_scalar_float64", "swish_scalar_float32", "swish_scalar_float64",
        "softplus_scaled_scalar_float32", "softplus_scaled_scalar_float64", "softshrink_scalar_float32",
        "softshrink_scalar_float64", "hardshrink_scalar_float32", "hardshrink_scalar_float64",
        "squareplus_scalar_float32", "squareplus_scalar_float64", "hardtanh_scalar_float32", "hardtanh_scalar_float64",
        "threshold_scalar_float32", "threshold_scalar_float64", "leaky_relu_backward_scalar_float32",
        "leaky_relu_backward_scalar_float64", "elu_backward_scalar_float32", "elu_backward_scalar_float64",
        "celu_backward_scalar_float32", "celu_backward_scalar_float64", "swish_backward_scalar_float32",
        "swish_backward_scalar_float64", "softplus_scaled_backward_scalar_float32",
        "softplus_scaled_backward_scalar_float64", "shrink_backward_scalar_float32", "shrink_backward_scalar_float64",
        "squareplus_backward_scalar_float32", "squareplus_backward_scalar_float64", "hardtanh_backward_scalar_float32",
        "hardtanh_backward_scalar_float64", "threshold_backward_scalar_float32", "threshold_backward_scalar_float64",
        "relu_float16", "relu_bfloat16", "sigmoid_float16", "sigmoid_bfloat16", "tanh_float16", "tanh_bfloat16",
        "silu_float16", "silu_bfloat16", "gelu_float16", "gelu_bfloat16", "gelu_tanh_float16", "gelu_tanh_bfloat16",
        "mish_float16", "mish_bfloat16", "softplus_float16", "softplus_bfloat16", "relu_backward_float16",
        "relu_backward_bfloat16", "sigmoid_backward_float16", "sigmoid_backward_bfloat16", "tanh_backward_float16",
        "tanh_backward_bfloat16", "silu_backward_float16", "silu_backward_bfloat16", "gelu_backward_float16",
        "gelu_backward_bfloat16", "gelu_tanh_backward_float16", "gelu_tanh_backward_bfloat16", "mish_backward_float16",
        "mish_backward_bfloat16", "softplus_backward_float16", "softplus_backward_bfloat16", "random_genome_uint8",
        "mutate_uint8", "crossover_uint8", "hamming_distance_uint8", "decode_offset_float32", "linear4_offset_float32",
        "encode_float8_e5m2fnuz_float32", "encode_float8_e4m3fnuz_float32", "encode_float8_e4m3b11fnuz_float32",
        "encode_float8_e4m3_float32", "encode_float8_e3m4_float32", "decode_float8_e5m2fnuz_float32",
        "decode_float8_e4m3fnuz_float32", "decode_float8_e4m3b11fnuz_float32", "decode_float8_e4m3_float32",
        "decode_float8_e3m4_float32", "batch_norm_float32", "batch_norm_float64", "normalize_float32",
        "normalize_float64", "normalize_backward_float32", "normalize_backward_float64", "rms_norm_bfloat16",
        "rms_norm_float16", "layer_norm_bfloat16", "layer_norm_float16", "add_rms_norm_float32", "add_rms_norm_float64",
        "add_rms_norm_bfloat16", "add_rms_norm_float16", "rms_norm_backward_float32", "rms_norm_backward_float64",
        "rms_norm_backward_bfloat16", "rms_norm_backward_float16", "layer_norm_backward_float32",
        "layer_norm_backward_float64", "layer_norm_backward_bfloat16", "layer_norm_backward_float16",
        "group_norm_float32", "group_norm_float64", "softmax_bfloat16", "softmax_float16", "log_softmax_bfloat16",
        "log_softmax_float16", "softmax_backward_float32", "softmax_backward_float64", "softmax_backward_bfloat16",
        "softmax_backward_float16", "log_softmax_backward_float32", "log_softmax_backward_float64",
        "log_softmax_backward_bfloat16", "log_softmax_backward_float16", "logsumexp_float32", "logsumexp_float64",
        "uniform_float32", "uniform_float64", "normal_float32", "normal_float64", "halting_distribution_float32",
        "halting_distribution_float64", "ponder_loss_float32", "ponder_loss_float64", "sample_halting_float32",
        "sample_halting_float64", "act_halting_float32", "act_halting_float64", "dropout_float32", "dropout_float64",
        "sum_rows_float32", "sum_rows_float64", "linear4_int_float32", "sgd_step_float32", "sgd_step_float64",
        "adamw_step_float32", "adamw_step_float64", "sum_powers_float32", "sum_powers_float64", "mse_float32",
        "mse_backward_float32", "mse_float64", "mse_backward_float64", "l1_float32", "l1_backward_float32",
        "l1_float64", "l1_backward_float64", "huber_float32", "huber_backward_float32", "huber_float64",
        "huber_backward_float64", "binary_cross_entropy_with_logits_float32",
        "binary_cross_entropy_with_logits_backward_float32", "binary_cross_entropy_with_logits_float64",
        "binary_cross_entropy_with_logits_backward_float64", "reparameterize_float32", "reparameterize_float64",
        "reparameterize_backward_float32", "reparameterize_backward_float64", "kl_standard_normal_float32",
        "kl_standard_normal_float64", "kl_standard_normal_backward_float32", "kl_standard_normal_backward_float64",
        "softplus_threshold_float32", "softplus_threshold_float64", "selu_scaled_float32", "selu_scaled_float64",
        "hardsigmoid_scaled_float32", "hardsigmoid_scaled_float64", "softplus_threshold_backward_float32",
        "softplus_threshold_backward_float64", "selu_scaled_backward_float32", "selu_scaled_backward_float64",
        "hardsigmoid_scaled_backward_float32", "hardsigmoid_scaled_backward_float64",
        "softplus_threshold_scalar_float32", "softplus_threshold_scalar_float64", "selu_scaled_scalar_float32",
        "selu_scaled_scalar_float64", "hardsigmoid_scaled_scalar_float32", "hardsigmoid_scaled_scalar_float64",
        "softplus_threshold_backward_scalar_float32", "softplus_threshold_backward_scalar_float64",
        "selu_scaled_backward_scalar_float32", "selu_scaled_backward_scalar_float64",
        "hardsigmoid_scaled_backward_scalar_float32", "hardsigmoid_scaled_backward_scalar_float64", "log1mexp_float32",
        "log1mexp_float64", "swiglu_clamped_float32", "swiglu_clamped_float64", "swiglu_clamped_backward_float32",
        "swiglu_clamped_backward_float64", "log1mexp_point_float64", "swiglu_clamped_scalar_float32",
        "swiglu_clamped_scalar_float64", "swiglu_clamped_backward_scalar_float32",
        "swiglu_clamped_backward_scalar_float64", "rotary_embedding_float32", "rotary_embedding_float64",
        "rotary_embedding_backward_float32", "rotary_embedding_backward_float64", "masked_softmax_float32",
        "masked_softmax_float64", "masked_softmax_bfloat16", "masked_softmax_float16",
        "masked_softmax_backward_float32", "masked_softmax_backward_float64", "masked_softmax_backward_bfloat16",
        "masked_softmax_backward_float16", "batch_norm_training_float32", "batch_norm_training_float64",
        "batch_norm_backward_float32", "batch_norm_backward_float64", "philox_uint32", "bias_relu_float32",
        "bias_relu_float64", "bias_relu_backward_float32", "bias_relu_backward_float64", "mean_loss_float64",
        "group_norm_backward_float32", "group_norm_backward_float64", "batch_norm_bfloat16", "batch_norm_float16",
        "next_up_float32", "next_down_float32", "ulp_distance_float32", "is_exact_integer_float32", "next_up_float64",
        "next_down_float64", "ulp_distance_float64", "is_exact_integer_float64", "encode_mxfp8_e5m2_float32",
        "encode_mxfp8_e4m3_float32", "encode_mxfp6_e3m2_float32", "encode_mxfp6_e2m3_float32", "encode_mxfp4_float32",
        "encode_mxint8_float32", "encode_nvfp4_float32", "nvfp4_scale_float32", "decode_mxfp8_e5m2_float32",
        "decode_mxfp8_e4m3_float32", "decode_mxfp6_e3m2_float32", "decode_mxfp6_e2m3_float32", "decode_mxfp4_float32",
        "decode_mxint8_float32", "decode_nvfp4_float32", "group_norm_bfloat16", "group_norm_float16",
        "logsumexp_backward_float32", "logsumexp_backward_float64", "logsumexp_window_float64",
        "batch_norm_training_bfloat16", "batch_norm_training_float16", "batch_norm_backward_bfloat16",
        "batch_norm_backward_float16", "group_norm_backward_bfloat16", "group_norm_backward_float16",
        "swiglu_beta_float32", "swiglu_beta_float64", "swiglu_beta_scalar_float32", "swiglu_beta_scalar_float64"
    };
    const lanewise_table *table;
    PyObject *module = PyImport_ImportModule("lanewise.embedding");
    if (module == NULL)
        return -1;
    Py_DECREF(module);
    table = (const lanewise_table *)PyCapsule_Import("lanewise.embedding.TABLE", 0);
    if (table == NULL)
        return -1;
    if (table->abi != LANEWISE_ABI) {
        PyErr_Format(PyExc_ImportError,
                     "this extension was built for LANEWISE_ABI %d and the installed lanewise has %d: %s",
                     LANEWISE_ABI, table->abi,
                     table->abi < LANEWISE_ABI ? "upgrade lanewise"
                                               : "build the extension again with the installed lanewise");
        return -1;
    }
    if (table->functions < LANEWISE_FUNCTIONS) {
        PyErr_Format(PyExc_ImportError,
                     "the installed lanewise has no %s, which this extension was built to call: upgrade lanewise",
                     names[table->functions]);
        return -1;
    }
    lanewise = table;
    return 0;
}

/* The floating-point environment in which kernels give the bits of the Python function, for threads that flush
 * subnormals or do not round to nearest:
 *
 *     lanewise_environment callers;
 *     lanewise_enter(&callers);
 *     ... kernels ...
 *     lanewise_leave(&callers);
 */
typedef struct {
    uint64_t words[8];
} lanewise_environment;

static inline void lanewise_enter(lanewise_environment *callers) { lanewise->enter(callers->words); }
static inline void lanewise_leave(const lanewise_environment *callers) { lanewise->leave(callers->words); }

/* lanewise.get_num_threads(), for a parallel loop of the caller's: 1 in a forked child */
static inline int lanewise_num_threads(void) { return lanewise->num_threads(); }

#endif
