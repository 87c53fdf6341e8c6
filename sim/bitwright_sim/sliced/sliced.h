// What every generated function of the sliced engine uses. BYTES is the size of a vector.
#include <cstdint>
#include <cstring>

typedef uint32_t V __attribute__((vector_size(BYTES)));
#define ZERO (V{})
#define ONES (~V{})

static inline V B(uint32_t mask) { return V{} + mask; }

// Bits 0 to n - 1 of a word as masks, up to the next multiple of 8.
static inline void expand(uint32_t* masks, uint64_t word, unsigned n) {
    typedef int32_t Eight __attribute__((vector_size(32)));
    const Eight bit = {1, 2, 4, 8, 16, 32, 64, 128};
    for (unsigned k = 0; k < n; k += 8) {
        const Eight mask = ((Eight{} + static_cast<int32_t>(word >> k & 255)) & bit) != 0;
        std::memcpy(masks + k, &mask, sizeof mask);
    }
}

static inline uint64_t at_most(uint64_t value, uint64_t limit) { return value < limit ? value : limit; }

// Four bits of sum, then four of carry (7-series CARRY4).
static inline uint64_t carry4(uint64_t carry, uint64_t other, uint64_t select) {
    uint64_t sum = 0, carries = 0;
    for (unsigned k = 0; k < 4; ++k) {
        const uint64_t s = select >> k & 1;
        sum |= (s ^ carry) << k;
        carry = s ? carry : other >> k & 1;
        carries |= carry << k;
    }
    return sum | carries << 4;
}
