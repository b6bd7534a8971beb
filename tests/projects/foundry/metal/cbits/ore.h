#ifndef ORE_H
#define ORE_H

#define ORE_NAME "haematite"
#define ORE_MELTS 1565

struct ore {
  char grade;
  long mass;
};

long ore_yield(const struct ore *ore);

#endif
