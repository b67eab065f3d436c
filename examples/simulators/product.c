// The matrix product that gem5_study.py simulates: product M N K.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "want M N K\n"), 2;
  long m = atol(argv[1]), n = atol(argv[2]), k = atol(argv[3]);
  int8_t *a = malloc(m * k), *b = malloc(k * n);
  int32_t *c = calloc(m * n, sizeof *c);
  if (!a || !b || !c) return fprintf(stderr, "no memory for %ld x %ld x %ld\n", m, n, k), 1;
  for (long i = 0; i < m * k; i++) a[i] = i % 11 - 5;
  for (long i = 0; i < k * n; i++) b[i] = i % 7 - 3;
  for (long i = 0; i < m; i++)
    for (long x = 0; x < k; x++)
      for (long j = 0; j < n; j++) c[i * n + j] += a[i * k + x] * b[x * n + j];
  int64_t sum = 0;
  for (long i = 0; i < m * n; i++) sum += c[i];
  printf("%lld\n", (long long)sum);
}
