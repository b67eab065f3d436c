package tech

// Node22 returns the 22 nm node.
func Node22() Node {
	return logic(Node{Name: "22nm", NM: 22, Volts: 0.8, sram: sramTable(22, wordBytes), wide: sramTable(22, wideBytes)})
}
