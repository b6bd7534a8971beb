#include "creatures.h"

#if FROM_CC_OPTIONS + FROM_OPTC != 3
#error "the options are not passed on"
#endif

int64_t creature_visit(const struct creature *first, visitor visit) {
  int64_t sum = 0;
  for (; first; first = first->next)
    sum += visit(first) + (first->kind < 0 ? 1000 : 0);
  return sum;
}

double creature_mix(int8_t a, uint8_t b, int16_t c, uint16_t d, float e, double f, int64_t g, int32_t h, uint64_t i,
                    float j, double k, int8_t l, double m, float n, double o, double p, int32_t q, double r) {
  return a + b + c + d + e + f + g + h + (double)(i >> 1) + j + k + l + m + n + o + p + q + r;
}

extern int64_t menagerie_next(int64_t n);

int64_t creature_call_back(int64_t n) { return menagerie_next(n) * 2; }
