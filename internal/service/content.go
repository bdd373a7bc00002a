package service

import (
	"context"
	"fmt"
	"io"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// Upload gives a file its content, read from r to the end, and notes what its format looks like: the
// Warnings of the file that it returns are for who uploads. sha256, if not "", is what the sender says the digest is. Uploading the same content twice is no error; another content is ErrState.
func (s *Service) Upload(ctx context.Context, fileID string, r io.Reader, sha256 string) (fleet.File, error) {
	// Asked for first, so that nobody uploads much for nothing.
	if _, err := may(ctx, identity.WriteFleet); err != nil {
		return fleet.File{}, err
	}
	before, err := s.Files.Find(ctx, fileID)
	if err != nil {
		return before, err
	}
	limited, head := &limitedReader{r: r, left: s.maxContent}, &prefix{}
	content, err := s.store.PutContent(ctx, io.TeeReader(limited, head))
	switch {
	case err != nil:
		return before, err
	case content.Size == 0:
		return before, invalid("content", "is empty", "an empty file cannot be sent")
	case sha256 != "" && content.SHA256 != sha256:
		return before, fmt.Errorf("content with SHA-256 %s: %w", content.SHA256, ErrDigest)
	}
	return s.Files.Update(ctx, fileID, AnyRevision, func(f *fleet.File) error {
		if f.SHA256 != content.SHA256 {
			f.SHA256, f.Size, f.UploadedAt = content.SHA256, content.Size, s.now()
			f.Format = fleet.DetectFormat(head.b)
		}
		return nil
	})
}

// Download returns a file and its bytes, or ErrNotFound if it has none. The reader must be closed.
func (s *Service) Download(ctx context.Context, fileID string) (fleet.File, io.ReadCloser, error) {
	file, err := s.Files.Find(ctx, fileID)
	if err != nil {
		return file, nil, err
	}
	if !file.HasContent() {
		return file, nil, fmt.Errorf("content of file %s: %w", fileID, store.ErrNotFound)
	}
	r, err := s.store.OpenContent(ctx, file.SHA256)
	return file, r, err
}

// limitedReader fails with ErrTooLarge where io.LimitReader would end.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	// One byte more than is left shows that there is more.
	n, err := l.r.Read(p[:min(int64(len(p)), l.left+1)])
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("content %w", ErrTooLarge)
	}
	return n, err
}

// prefix keeps the beginning of what is written to it, as much as a format is told by.
type prefix struct{ b []byte }

func (p *prefix) Write(b []byte) (int, error) {
	p.b = append(p.b, b[:min(len(b), fleet.FormatPrefix-len(p.b))]...)
	return len(b), nil
}
