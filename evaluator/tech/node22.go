package tech

// Node22 returns the 22 nm node. Its memory table was computed with CACTI 7 (R.
// Balasubramonian et al., ACM TACO 14(2), 2017): scratch RAM, one read-write
// port of 64 bits, cells and periphery itrs-lop, 350 K.
func Node22() Node {
	return logic(Node{Name: "22nm", NM: 22, sram: []sramPoint{
		// bytes, access ns, read pJ, write pJ, leakage mW, area mm²
		{1024, 0.246331, 0.2351, 0.4407, 0.221468, 0.00086047},
		{4096, 0.270949, 0.7398, 0.6986, 0.926929, 0.00351288},
		{16384, 0.420091, 1.6495, 1.2791, 3.37044, 0.0150829},
		{65536, 0.640529, 3.5209, 2.4922, 12.3183, 0.0586265},
		{262144, 1.04096, 6.9838, 4.9808, 48.788, 0.208084},
		{1048576, 1.78298, 12.8036, 10.7798, 194.74, 0.81347},
		{4194304, 3.11447, 24.2787, 22.2136, 778.503, 3.16915},
	}})
}
