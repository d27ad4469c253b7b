package audio

// aLaw and muLaw expand one byte of ITU-T G.711 to -1..1.

func aLaw(b byte) float32 {
	b ^= 0x55
	value := int(b&0x0f)<<4 + 8
	if segment := int(b>>4) & 7; segment > 0 {
		value = (value + 0x100) << (segment - 1)
	}
	if b&0x80 == 0 {
		value = -value
	}
	return float32(value) / (1 << 15)
}

func muLaw(b byte) float32 {
	const bias = 0x84
	b = ^b
	value := (int(b&0x0f)<<3+bias)<<(b>>4&7) - bias
	if b&0x80 != 0 {
		value = -value
	}
	return float32(value) / (1 << 15)
}
