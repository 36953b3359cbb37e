package manifests

// numbers is a dictionary of integers: each value once, in order of appearance.
type numbers struct {
	values []int64
	slots  []int32 // open addressing: code + 1; 0 is free
}

func (d *numbers) clear() {
	d.values = d.values[:0]
	clear(d.slots)
}

// code returns the index of v in values, where it puts it at need.
func (d *numbers) code(v int64) int32 {
	if 2*len(d.values) >= len(d.slots) {
		d.grow()
	}
	i := d.slot(v)
	if d.slots[i] == 0 {
		d.values = append(d.values, v)
		d.slots[i] = int32(len(d.values))
	}
	return d.slots[i] - 1
}

// slot returns where v is, or would be.
func (d *numbers) slot(v int64) uint64 {
	mask := uint64(len(d.slots) - 1)
	i := uint64(v) * 0x9e3779b97f4a7c15 >> 32 & mask
	for d.slots[i] != 0 && d.values[d.slots[i]-1] != v {
		i = (i + 1) & mask
	}
	return i
}

func (d *numbers) grow() {
	d.slots = make([]int32, max(1<<10, 2*len(d.slots)))
	for i, v := range d.values {
		d.slots[d.slot(v)] = int32(i + 1)
	}
}
