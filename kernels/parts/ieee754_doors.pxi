# The functions that C code calls. A part of ieee754.pyx, which has the kernels. Each is one with its registration.

cdef Registration registration_between(str function, str narrow) except *:
    # of a function between float32 and a format of that name
    return registration_of(function, describe_format(narrow), describe_format("binary32"))


cdef void run(const Registration* registration, const void* a, const void* b, const void* c, const void* d,
              Py_ssize_t n) noexcept nogil:
    # on contiguous operands of n elements, NULL behind the last
    cdef char* operands[MAX_OPERANDS]
    cdef np.npy_intp[MAX_OPERANDS] steps
    cdef int k
    operands[0], operands[1], operands[2], operands[3] = <char*>a, <char*>b, <char*>c, <char*>d
    for k in range(registration.n_in + registration.n_out):
        steps[k] = size_of(registration.dtypes[k])
    span(registration, operands, steps, 0, n)


cdef Registration decompose32 = registration_of("decompose", describe_format("binary32"))
cdef Registration compose32 = registration_of("compose", describe_format("binary32"))
cdef Registration classify32 = registration_of("classify", describe_format("binary32"))
cdef Registration ulp32 = registration_of("ulp", describe_format("binary32"))

cdef void decompose_float32(const float* x, uint8_t* sign, uint8_t* exponent, uint32_t* mantissa,
                            Py_ssize_t n) noexcept nogil:
    run(&decompose32, x, sign, exponent, mantissa, n)

cdef void compose_float32(const uint8_t* sign, const uint8_t* exponent, const uint32_t* mantissa, float* y,
                          Py_ssize_t n) noexcept nogil:
    run(&compose32, sign, exponent, mantissa, y, n)

cdef void classify_float32(const float* x, uint8_t* classes, Py_ssize_t n) noexcept nogil:
    run(&classify32, x, classes, NULL, NULL, n)

cdef void ulp_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    run(&ulp32, x, y, NULL, NULL, n)


cdef Registration decompose64 = registration_of("decompose", describe_format("binary64"))
cdef Registration compose64 = registration_of("compose", describe_format("binary64"))
cdef Registration classify64 = registration_of("classify", describe_format("binary64"))
cdef Registration ulp64 = registration_of("ulp", describe_format("binary64"))

cdef void decompose_float64(const double* x, uint8_t* sign, uint16_t* exponent, uint64_t* mantissa,
                            Py_ssize_t n) noexcept nogil:
    run(&decompose64, x, sign, exponent, mantissa, n)

cdef void compose_float64(const uint8_t* sign, const uint16_t* exponent, const uint64_t* mantissa, double* y,
                          Py_ssize_t n) noexcept nogil:
    run(&compose64, sign, exponent, mantissa, y, n)

cdef void classify_float64(const double* x, uint8_t* classes, Py_ssize_t n) noexcept nogil:
    run(&classify64, x, classes, NULL, NULL, n)

cdef void ulp_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    run(&ulp64, x, y, NULL, NULL, n)


cdef Registration encode_binary16 = registration_between("encode", "binary16")
cdef Registration decode_binary16 = registration_between("decode", "binary16")

cdef void encode_binary16_float32(const float* x, uint16_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_binary16, x, codes, NULL, NULL, n)

cdef void decode_binary16_float32(const uint16_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_binary16, codes, y, NULL, NULL, n)


cdef Registration encode_bfloat16 = registration_between("encode", "bfloat16")
cdef Registration decode_bfloat16 = registration_between("decode", "bfloat16")

cdef void encode_bfloat16_float32(const float* x, uint16_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_bfloat16, x, codes, NULL, NULL, n)

cdef void decode_bfloat16_float32(const uint16_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_bfloat16, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e5m2 = registration_between("encode", "float8_e5m2")
cdef Registration decode_float8_e5m2 = registration_between("decode", "float8_e5m2")

cdef void encode_float8_e5m2_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e5m2, x, codes, NULL, NULL, n)

cdef void decode_float8_e5m2_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e5m2, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e4m3fn = registration_between("encode", "float8_e4m3fn")
cdef Registration decode_float8_e4m3fn = registration_between("decode", "float8_e4m3fn")

cdef void encode_float8_e4m3fn_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e4m3fn, x, codes, NULL, NULL, n)

cdef void decode_float8_e4m3fn_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e4m3fn, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e8m0fnu = registration_between("encode", "float8_e8m0fnu")
cdef Registration decode_float8_e8m0fnu = registration_between("decode", "float8_e8m0fnu")

cdef void encode_float8_e8m0fnu_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e8m0fnu, x, codes, NULL, NULL, n)

cdef void decode_float8_e8m0fnu_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e8m0fnu, codes, y, NULL, NULL, n)


cdef Registration encode_float6_e3m2fn = registration_between("encode", "float6_e3m2fn")
cdef Registration decode_float6_e3m2fn = registration_between("decode", "float6_e3m2fn")

cdef void encode_float6_e3m2fn_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float6_e3m2fn, x, codes, NULL, NULL, n)

cdef void decode_float6_e3m2fn_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float6_e3m2fn, codes, y, NULL, NULL, n)


cdef Registration encode_float6_e2m3fn = registration_between("encode", "float6_e2m3fn")
cdef Registration decode_float6_e2m3fn = registration_between("decode", "float6_e2m3fn")

cdef void encode_float6_e2m3fn_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float6_e2m3fn, x, codes, NULL, NULL, n)

cdef void decode_float6_e2m3fn_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float6_e2m3fn, codes, y, NULL, NULL, n)


cdef Registration encode_float4_e2m1fn = registration_between("encode", "float4_e2m1fn")
cdef Registration decode_float4_e2m1fn = registration_between("decode", "float4_e2m1fn")

cdef void encode_float4_e2m1fn_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float4_e2m1fn, x, codes, NULL, NULL, n)

cdef void decode_float4_e2m1fn_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float4_e2m1fn, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e5m2fnuz = registration_between("encode", "float8_e5m2fnuz")
cdef Registration decode_float8_e5m2fnuz = registration_between("decode", "float8_e5m2fnuz")

cdef void encode_float8_e5m2fnuz_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e5m2fnuz, x, codes, NULL, NULL, n)

cdef void decode_float8_e5m2fnuz_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e5m2fnuz, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e4m3fnuz = registration_between("encode", "float8_e4m3fnuz")
cdef Registration decode_float8_e4m3fnuz = registration_between("decode", "float8_e4m3fnuz")

cdef void encode_float8_e4m3fnuz_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e4m3fnuz, x, codes, NULL, NULL, n)

cdef void decode_float8_e4m3fnuz_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e4m3fnuz, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e4m3b11fnuz = registration_between("encode", "float8_e4m3b11fnuz")
cdef Registration decode_float8_e4m3b11fnuz = registration_between("decode", "float8_e4m3b11fnuz")

cdef void encode_float8_e4m3b11fnuz_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e4m3b11fnuz, x, codes, NULL, NULL, n)

cdef void decode_float8_e4m3b11fnuz_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e4m3b11fnuz, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e4m3 = registration_between("encode", "float8_e4m3")
cdef Registration decode_float8_e4m3 = registration_between("decode", "float8_e4m3")

cdef void encode_float8_e4m3_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e4m3, x, codes, NULL, NULL, n)

cdef void decode_float8_e4m3_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e4m3, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e3m4 = registration_between("encode", "float8_e3m4")
cdef Registration decode_float8_e3m4 = registration_between("decode", "float8_e3m4")

cdef void encode_float8_e3m4_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e3m4, x, codes, NULL, NULL, n)

cdef void decode_float8_e3m4_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e3m4, codes, y, NULL, NULL, n)


# Neighbours, differences and whole numbers of float32 and float64.

cdef Registration next_up32 = registration_of("next_up", describe_format("binary32"))
cdef Registration next_down32 = registration_of("next_down", describe_format("binary32"))
cdef Registration ulp_distance32 = registration_of("ulp_distance", describe_format("binary32"))
cdef Registration is_exact_integer32 = registration_of("is_exact_integer", describe_format("binary32"))

cdef void next_up_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    run(&next_up32, x, y, NULL, NULL, n)

cdef void next_down_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    run(&next_down32, x, y, NULL, NULL, n)

cdef void ulp_distance_float32(const float* a, const float* b, int64_t* distance, Py_ssize_t n) noexcept nogil:
    run(&ulp_distance32, a, b, distance, NULL, n)

cdef void is_exact_integer_float32(const float* x, uint8_t* exact, Py_ssize_t n) noexcept nogil:
    run(&is_exact_integer32, x, exact, NULL, NULL, n)


cdef Registration next_up64 = registration_of("next_up", describe_format("binary64"))
cdef Registration next_down64 = registration_of("next_down", describe_format("binary64"))
cdef Registration ulp_distance64 = registration_of("ulp_distance", describe_format("binary64"))
cdef Registration is_exact_integer64 = registration_of("is_exact_integer", describe_format("binary64"))

cdef void next_up_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    run(&next_up64, x, y, NULL, NULL, n)

cdef void next_down_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    run(&next_down64, x, y, NULL, NULL, n)

cdef void ulp_distance_float64(const double* a, const double* b, int64_t* distance, Py_ssize_t n) noexcept nogil:
    run(&ulp_distance64, a, b, distance, NULL, n)

cdef void is_exact_integer_float64(const double* x, uint8_t* exact, Py_ssize_t n) noexcept nogil:
    run(&is_exact_integer64, x, exact, NULL, NULL, n)


# Blocks that share a scale: rows of them, chunk after chunk on the caller's thread.

cdef BlockFormat block_format_between(str element, str scale, Py_ssize_t block) except *:
    return block_format_of(describe_format(element), describe_format(scale), describe_format("binary32"), "nearest",
                           block)


cdef void encode_rows(const BlockFormat* f, const float* x, float tensor_scale, uint8_t* codes, uint8_t* scales,
                      Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Blocks b = blocks_of(f, x, codes, scales, tensor_scale, rows, n, True)
    cdef Py_ssize_t chunk
    for chunk in range((b.count + BLOCKS - 1) // BLOCKS):
        encode_chunk_float32(&b, chunk, 0)


cdef void decode_rows(const BlockFormat* f, const uint8_t* codes, const uint8_t* scales, float tensor_scale, float* y,
                      Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Blocks b = blocks_of(f, y, codes, scales, tensor_scale, rows, n, False)
    cdef Py_ssize_t chunk
    for chunk in range((b.count + BLOCKS - 1) // BLOCKS):
        decode_chunk_float32(&b, chunk, 0)


cdef BlockFormat mxfp8_e5m2 = block_format_between("float8_e5m2", "float8_e8m0fnu", 32)

cdef void encode_mxfp8_e5m2_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    encode_rows(&mxfp8_e5m2, x, 1.0, codes, scales, rows, n)

cdef void decode_mxfp8_e5m2_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    decode_rows(&mxfp8_e5m2, codes, scales, 1.0, y, rows, n)


cdef BlockFormat mxfp8_e4m3 = block_format_between("float8_e4m3fn", "float8_e8m0fnu", 32)

cdef void encode_mxfp8_e4m3_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    encode_rows(&mxfp8_e4m3, x, 1.0, codes, scales, rows, n)

cdef void decode_mxfp8_e4m3_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    decode_rows(&mxfp8_e4m3, codes, scales, 1.0, y, rows, n)


cdef BlockFormat mxfp6_e3m2 = block_format_between("float6_e3m2fn", "float8_e8m0fnu", 32)

cdef void encode_mxfp6_e3m2_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    encode_rows(&mxfp6_e3m2, x, 1.0, codes, scales, rows, n)

cdef void decode_mxfp6_e3m2_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    decode_rows(&mxfp6_e3m2, codes, scales, 1.0, y, rows, n)


cdef BlockFormat mxfp6_e2m3 = block_format_between("float6_e2m3fn", "float8_e8m0fnu", 32)

cdef void encode_mxfp6_e2m3_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    encode_rows(&mxfp6_e2m3, x, 1.0, codes, scales, rows, n)

cdef void decode_mxfp6_e2m3_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    decode_rows(&mxfp6_e2m3, codes, scales, 1.0, y, rows, n)


cdef BlockFormat mxfp4 = block_format_between("float4_e2m1fn", "float8_e8m0fnu", 32)

cdef void encode_mxfp4_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil:
    encode_rows(&mxfp4, x, 1.0, codes, scales, rows, n)

cdef void decode_mxfp4_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil:
    decode_rows(&mxfp4, codes, scales, 1.0, y, rows, n)


cdef BlockFormat mxint8 = block_format_between("mxint8", "float8_e8m0fnu", 32)

cdef void encode_mxint8_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil:
    encode_rows(&mxint8, x, 1.0, codes, scales, rows, n)

cdef void decode_mxint8_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil:
    decode_rows(&mxint8, codes, scales, 1.0, y, rows, n)


cdef BlockFormat nvfp4 = block_format_between("float4_e2m1fn", "float8_e4m3fn", 16)

cdef void encode_nvfp4_float32(const float* x, float tensor_scale, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil:
    encode_rows(&nvfp4, x, tensor_scale, codes, scales, rows, n)

cdef void decode_nvfp4_float32(const uint8_t* codes, const uint8_t* scales, float tensor_scale, float* y,
                               Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    decode_rows(&nvfp4, codes, scales, tensor_scale, y, rows, n)

cdef float nvfp4_scale_float32(const float* x, Py_ssize_t n) noexcept nogil:
    # among the bits of finite magnitudes the largest number has the largest
    cdef environment callers = enter_environment()
    cdef uint32_t magnitude, top = 0
    cdef float scale
    cdef Py_ssize_t i
    for i in range(n):
        magnitude = (<const uint32_t*>x)[i] & <uint32_t>0x7FFFFFFF
        if magnitude < <uint32_t>0x7F800000:
            top = max(top, magnitude)
    scale = <float>(number_of(top, <uint32_t>0) / 2688.0)  # the largest element times the largest scale of a block
    if scale == 0.0:
        scale = 1.0
    leave_environment(callers)
    return scale
