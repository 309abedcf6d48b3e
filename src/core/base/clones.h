// Function clones for wider vector units, chosen when the library is loaded.
//
// Only for loops whose lanes never meet: with -ffp-contract=off every clone then computes the same bits.
#pragma once

#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define RETRAIN_CLONES __attribute__((target_clones("default", "avx2", "avx512f"), optimize("O3")))
#else
#define RETRAIN_CLONES
#endif
