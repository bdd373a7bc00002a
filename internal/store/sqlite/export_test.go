package sqlite

// Die gives the lock of the file back as the death of the process would, and leaves
// everything else open.
func (s *Store) Die() error { return s.lock.Close() }
