#pragma once

#include <stdint.h>

#define CREATURE_LEGS 4
#define CREATURE_NAME "okapi \"Okapia\""
#define CREATURE_BIG 0xfedcba9876543210ULL
#define creature_area(width, height) ((width) * (height))

enum creature_kind { BIRD = -3, FISH, SNAIL = 100000 };

struct creature {
  char kind;
  int16_t legs;
  float mass;
  int64_t born;
  uint8_t tame : 1, young : 3;
  char name[13];
  struct creature *next;
  long double weight;
};

typedef int64_t (*visitor)(const struct creature *);

int64_t creature_visit(const struct creature *first, visitor visit);
double creature_mix(int8_t a, uint8_t b, int16_t c, uint16_t d, float e, double f, int64_t g, int32_t h, uint64_t i,
                    float j, double k, int8_t l, double m, float n, double o, double p, int32_t q, double r);
int64_t creature_call_back(int64_t n);
