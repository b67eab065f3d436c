package tech

// Node45 returns the 45 nm node. Its memory table was computed with CACTI 7 (R.
// Balasubramonian et al., ACM TACO 14(2), 2017): scratch RAM, one read-write
// port of 64 bits, cells and periphery itrs-lop, 350 K.
func Node45() Node {
	return logic(Node{Name: "45nm", NM: 45, sram: []sramPoint{
		// bytes, access ns, read pJ, write pJ, leakage mW, area mm²
		{1024, 0.473213, 0.7871, 1.4406, 0.0141711, 0.00359993},
		{4096, 0.521114, 2.3420, 2.3461, 0.0584987, 0.0147405},
		{16384, 0.705208, 6.0338, 4.4197, 0.218861, 0.0507558},
		{65536, 1.09733, 13.0690, 8.0627, 0.794781, 0.209084},
		{262144, 1.87497, 20.3059, 15.2996, 3.17913, 0.872247},
		{1048576, 2.89556, 41.7608, 29.7391, 12.0241, 3.26331},
		{4194304, 4.97025, 71.8250, 61.9158, 50.4887, 12.3989},
	}})
}
