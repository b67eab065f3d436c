package tech

// Node45 returns the 45 nm node.
func Node45() Node {
	return logic(Node{Name: "45nm", NM: 45, Volts: logicVolts, sram: sramTable(45, wordBytes), wide: sramTable(45, wideBytes)})
}
