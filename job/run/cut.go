package run

// A shard is as large as what a machine may lose and do again, and as small as pays for
// its own result: an object of some kilobytes, beside three objects a file.
const (
	shardBytes = 512 << 20 // of input
	shardFiles = 8
)

// pieceBytes is the size of the pieces that larger files are cut into. What is published
// of such a file depends on it, so another value is another format.
const pieceBytes = 512 << 20

// sizes says how large shards and pieces are.
type sizes struct {
	bytes int64
	files int
	piece int64
	block int64 // rows; 0: source.BlockRows
}

// cut puts files that are not taken over into shards, in their order. It depends on the
// files alone, so that all who make the plan make the same.
func cut(datasets []Dataset, s sizes) []Shard {
	var all []Shard
	var parts []Part
	var bytes int64
	end := func() {
		if len(parts) > 0 {
			all = append(all, Shard{parts})
		}
		parts, bytes = nil, 0
	}
	for i := range datasets {
		taken := datasets[i].taken()
		for j := range datasets[i].Files {
			f := &datasets[i].Files[j]
			if taken[f.Rel] != nil {
				continue
			}
			for n := range f.pieces() {
				size := f.piece(n).Bytes
				if len(parts) == s.files || bytes+size > s.bytes {
					end()
				}
				parts = append(parts, Part{i, j, n})
				bytes += size
			}
		}
	}
	end()
	return all
}
