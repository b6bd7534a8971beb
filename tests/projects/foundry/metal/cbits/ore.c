#include "ore.h"

long ore_yield(const struct ore *ore) { return ore->mass * ore->grade / 100; }
