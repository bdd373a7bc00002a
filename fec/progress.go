package fec

// What a decoder tells of its progress. Decoder and RankDecoder have these methods.

// NbFrag returns the number of uncoded fragments of the session.
func (s *elimination) NbFrag() int { return s.nbFrag }

// Missing returns how many uncoded fragments are still unknown, 0 once done.
func (s *elimination) Missing() int { return s.missing() }

// Needed returns how many independent fragments must still arrive: NbFrag less the rank
// of what came.
func (s *elimination) Needed() int { return s.needed() }

// Rank returns the number of independent fragments that arrived.
func (s *elimination) Rank() int { return s.nbFrag - s.needed() }

// Received returns how many fragments arrived until the end: uncoded, coded, repeated and
// discarded ones.
func (s *elimination) Received() int { return s.received }

// LastN returns the number of the last fragment that arrived until the end, 0 before the
// first, discarded ones included.
func (s *elimination) LastN() int { return s.lastN }

// Lost returns how many uncoded fragments count as lost: the gaps below the highest number
// and, from the first coded fragment on, all that had not arrived by then.
func (s *elimination) Lost() int { return s.lost }

// Done reports whether the decoder is finished. Check Failed too: some decoders finish
// with a wrong image.
func (s *elimination) Done() bool { return s.done }

// Failed returns why the image can never be right: ErrMatrix or ErrOrder, wrapped. It
// returns nil while all is well.
func (s *elimination) Failed() error { return s.failed }

// Report returns what a device with these limits answers to FragSessionStatusReq now.
func (s *elimination) Report() Report { return s.report() }

// release lets the matrix go after the end.
func (s *elimination) release() {
	s.rows, s.holes, s.vector, s.row, s.used = nil, nil, nil, nil, nil
}
