package sample

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// domain separates the uses of one seed from each other.
type domain uint64

const (
	domainFile domain = iota + 1
	domainAccountID
	domainContractID
	domainContract
	domainParties
	domainConsent
	domainConsentBlock
	domainConsentOrder
	domainDeletion
	domainRegistry
	domainRegistryOrder
	domainRestriction
	domainRestrictionOrder
	domainContact
	domainVisibility
	domainAlias
	domainMembership
)

// hash maps (seed, domain, i) to 64 bits that look random: twice the finalizer of
// SplitMix64.
func hash(seed uint64, d domain, i uint64) uint64 {
	return mix(mix(seed^uint64(d)*0x9e3779b97f4a7c15) + i*0x9e3779b97f4a7c15)
}

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// dice are a stream of choices, the same for the same seed on every machine.
type dice struct{ pcg rand.PCG }

func newDice(h uint64) *dice {
	d := new(dice)
	d.seed(h)
	return d
}

func (d *dice) seed(h uint64) { d.pcg.Seed(h, mix(h)) }

// below returns a number in [0, n), n > 0.
func (d *dice) below(n uint64) uint64 {
	hi, _ := bits.Mul64(d.pcg.Uint64(), n)
	return hi
}

// between returns a number in [from, until).
func (d *dice) between(from, until int64) int64 {
	return from + int64(d.below(uint64(until-from)))
}

// oneIn is true once in n times.
func (d *dice) oneIn(n uint64) bool { return d.below(n) == 0 }

// skewed returns a number in [0, n) of which small ones are likelier: see skew.
func (d *dice) skewed(n uint64) uint64 { return skew(d.pcg.Uint64(), n) }

// fill fills b with random bytes.
func (d *dice) fill(b []byte) {
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, d.pcg.Uint64())
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], d.pcg.Uint64())
		copy(b, last[:])
	}
}

// pick returns an element of s, all alike.
func pick[T any](d *dice, s []T) T { return s[d.below(uint64(len(s)))] }

// skew maps 64 random bits to [0, n), as Zipf's law would in steps: the numbers
// from 2^k to 2^(k+1) are together as likely for every k, but the first √n, and
// at least 64, are all alike, so that no single one weighs much.
func skew(r, n uint64) uint64 {
	top := uint64(bits.Len64(n)) - 1 // 2^top <= n; the last step takes the rest too
	floor := min(max(top/2, 6), top)
	step, r := bits.Mul64(r, top-floor+1)
	from, until := uint64(0), uint64(1)<<(floor+step)
	if step > 0 {
		from = until >> 1
	}
	if floor+step == top {
		until = n
	}
	hi, _ := bits.Mul64(r, until-from)
	return from + hi
}

// permutation is a bijection of [0, n): a Feistel network over the next even
// number of bits, walked until it falls below n.
type permutation struct {
	n    uint64
	half uint
	keys [4]uint64
}

func newPermutation(key, n uint64) permutation {
	p := permutation{n: n, half: uint(max(bits.Len64(n-1)+1, 2) / 2)}
	for i := range p.keys {
		p.keys[i] = mix(key + uint64(i)*0x9e3779b97f4a7c15)
	}
	return p
}

// at returns the image of i, which must be below n.
func (p *permutation) at(i uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	for {
		left, right := i>>p.half, i&mask
		for _, key := range p.keys {
			left, right = right, left^mix(right+key)&mask
		}
		if i = left<<p.half | right; i < p.n {
			return i
		}
	}
}
