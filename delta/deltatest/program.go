package deltatest

import (
	"encoding/binary"
	"math/rand/v2"
)

// Program is a program of made-up functions that call one another, point to one another and
// to variables, and that a linker puts one behind the other.
type Program struct {
	Base, RAM uint32   // addresses of the first function and of the first variable
	Variables []uint32 // sizes, multiples of 4
	functions []function
}

// function is PUSH, its body, and a pool of pointers that it loads.
type function struct {
	body      []instruction
	functions []int // pointers in its pool
	variables []int
}

// instruction is a halfword, or something that refers to somewhere.
type instruction struct {
	half uint16
	call int // function that is called, -1 for none
	load int // entry of the pool that is loaded, -1 for none
	skip int // instructions that a conditional branch leads over, 0 for none
}

func plain(r *rand.Rand) instruction {
	return instruction{half: 0x1800 | uint16(r.UintN(0x200)), call: -1, load: -1} // ADDS
}

// NewProgram returns a program of so many functions, of 90 bytes each on average.
func NewProgram(r *rand.Rand, functions int) *Program {
	f := &Program{Base: 0x08004000, RAM: 0x20000000}
	for range functions {
		f.Variables = append(f.Variables, 4*(1+r.Uint32N(8)))
	}
	for range functions {
		fn := function{functions: []int{r.IntN(functions)}, variables: []int{r.IntN(functions), r.IntN(functions)}}
		for range 10 + r.IntN(40) {
			i := plain(r)
			switch r.IntN(6) {
			case 0:
				i.call = r.IntN(functions)
			case 1:
				i.load = r.IntN(3)
			case 2:
				i.skip = 2 + r.IntN(6)
			}
			fn.body = append(fn.body, i)
		}
		f.functions = append(f.functions, fn)
	}
	return f
}

// size is that of the instruction in bytes.
func (i instruction) size() uint32 {
	if i.call >= 0 {
		return 4
	}
	return 2
}

// Link returns the image.
func (f *Program) Link() []byte {
	starts := make([]uint32, len(f.functions))
	pools := make([]uint32, len(f.functions))
	at := uint32(0)
	for k, fn := range f.functions {
		starts[k] = at
		at += 2
		for _, i := range fn.body {
			at += i.size()
		}
		at = (at + 2 + 3) &^ 3 // POP
		pools[k] = at
		at += uint32(4 * (len(fn.functions) + len(fn.variables)))
	}
	addresses := make([]uint32, len(f.Variables))
	ram := f.RAM
	for k, n := range f.Variables {
		addresses[k] = ram
		ram += n
	}
	var b []byte
	le := binary.LittleEndian
	for k, fn := range f.functions {
		b = le.AppendUint16(b, 0xb5f0)
		for n, i := range fn.body {
			here := uint32(len(b))
			switch {
			case i.call >= 0:
				d := starts[i.call] - here - 4
				s := d >> 24 & 1
				b = le.AppendUint16(b, uint16(0xf000|s<<10|d>>12&0x3ff))
				b = le.AppendUint16(b, uint16(0xd000|(^(d>>23^s)&1)<<13|(^(d>>22^s)&1)<<11|d>>1&0x7ff))
			case i.load >= 0:
				b = le.AppendUint16(b, uint16(0x4800|(pools[k]+uint32(4*i.load)-(here+4)&^3)/4))
			case i.skip > 0:
				d := uint32(0)
				for _, over := range fn.body[n+1 : min(len(fn.body), n+1+i.skip)] {
					d += over.size()
				}
				b = le.AppendUint16(b, uint16(0xd000|((d-2)/2)&0xff))
			default:
				b = le.AppendUint16(b, i.half)
			}
		}
		b = le.AppendUint16(b, 0xbdf0)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		for _, t := range fn.functions {
			b = le.AppendUint32(b, f.Base+starts[t]+1)
		}
		for _, v := range fn.variables {
			b = le.AppendUint32(b, addresses[v])
		}
	}
	return b
}

// Insert adds n instructions to the function k behind its first ones, at most ten.
func (f *Program) Insert(r *rand.Rand, k, at, n int) {
	body := append([]instruction{}, f.functions[k].body[:at]...)
	for range n {
		body = append(body, plain(r))
	}
	f.functions[k].body = append(body, f.functions[k].body[at:]...)
}

// Functions returns how many there are.
func (f *Program) Functions() int { return len(f.functions) }

// Code returns a pair of size bytes: a program and its next version, in which one function of
// a hundred has grown and the addresses of all others have moved.
func Code(size int) (old, target []byte) {
	r := rand.New(rand.NewPCG(17, uint64(size)))
	f := NewProgram(r, size/80+1)
	old = f.Link()
	for range 1 + f.Functions()/100 {
		f.Insert(r, r.IntN(f.Functions()), r.IntN(8), 1+r.IntN(20))
	}
	return old[:size], f.Link()[:size]
}
