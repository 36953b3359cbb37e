//go:build !unix

package objstore

import (
	"errors"
	"os"
)

func mapFile(*os.File, int64) ([]byte, func() error, error) { return nil, nil, errors.ErrUnsupported }

func unload([]byte) {}
