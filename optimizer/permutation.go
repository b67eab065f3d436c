package optimizer

import (
	"math/bits"
	"math/rand/v2"
)

// permutation is a keyed bijection on [0, size): a random order of the points
// of a lattice that needs no memory. It is a balanced Feistel network on the
// next even number of bits, walked until it lands inside the domain.
//
// Reference: J. Black and P. Rogaway, Ciphers with Arbitrary Finite Domains,
// CT-RSA 2002 (cycle walking). At most 4 steps a call are expected, because
// the network's domain is smaller than 4 times size.
type permutation struct {
	size uint64
	half uint // bits in each half of the network
	keys [4]uint64
}

func newPermutation(size uint64, rng *rand.Rand) permutation {
	p := permutation{size: size, half: uint(max(2, bits.Len64(size-1))+1) / 2}
	for i := range p.keys {
		p.keys[i] = rng.Uint64()
	}
	return p
}

// at returns the i-th point of the order; i must be below size.
func (p *permutation) at(i uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	for {
		left, right := i>>p.half, i&mask
		for _, key := range p.keys {
			left, right = right, left^(scramble(right^key)&mask)
		}
		if i = left<<p.half | right; i < p.size {
			return i
		}
	}
}

// scramble is the finaliser of SplitMix64 (Steele, Lea, Flood, Fast Splittable
// Pseudorandom Number Generators, OOPSLA 2014).
func scramble(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
