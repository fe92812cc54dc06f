/* What keeps the compiler from copying code that is meant to stand in one place. A copy of a vectorised function costs
 * up to seconds of compile time; where a call or a test is made once for hundreds of elements, the copy gains nothing. */
#if defined(__GNUC__)
#define LANEWISE_HIDE(value) __asm__("" : "+r"(value))
#else
#define LANEWISE_HIDE(value)
#endif

/* the address of a function, of which the compiler does not know whose it is, so that it has to call it */
static inline void *called(void *function) {
    LANEWISE_HIDE(function);
    return function;
}
/* a number that the compiler does not know, so that a loop of that many turns is the same loop as for any other */
static inline ptrdiff_t any_count(ptrdiff_t n) {
    LANEWISE_HIDE(n);
    return n;
}
