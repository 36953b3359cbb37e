package verify

import (
	"encoding/binary"
	"errors"
	"fmt"

	"assent/manifests"
)

// With Quick, an object whose bytes are those that the run manifest names is not read page by page: what its footer says is held against
// the manifest. Only a full audit looks into exclusions, and into a subject index unless an account is looked for in it.

const groupNumRows = 3 // of RowGroup; see parquet.go
const fileNumRows = 3  // of FileMetaData

// quickFooter returns the fields of a footer, and the number of rows of all row groups.
func quickFooter(r *watched) (fields []field, rows int64, err error) {
	raw, err := readFooter(r, r.Size())
	if err != nil {
		return nil, 0, err
	}
	if fields, _, err = fieldsOf(raw); err != nil {
		return nil, 0, fmt.Errorf("footer: %w", err)
	}
	if rows, err = sumRows(find(fields, fileRowGroups)); err != nil {
		return nil, 0, fmt.Errorf("footer: %w", err)
	}
	if n, size := binary.Varint(find(fields, fileNumRows)); size <= 0 || n != rows {
		return nil, 0, fmt.Errorf("its row groups have %d rows, its footer %d", rows, n)
	}
	return fields, rows, nil
}

// sumRows adds up the rows of a list of row groups.
func sumRows(groups []byte) (rows int64, err error) {
	if groups == nil {
		return 0, nil
	}
	element, n, rest, err := listHead(groups)
	if err != nil || element != kindStruct && n > 0 {
		return 0, errThrift
	}
	for range n {
		rest, err = structOf(rest, maxNesting, func(f field) {
			if f.id == groupNumRows {
				n, _ := binary.Varint(f.value)
				rows += n
			}
		})
		if err != nil {
			return 0, err
		}
	}
	return rows, nil
}

// quickRows is checkRows. Files of one schema have the same columns.
func (a *audit) quickRows(r *watched, x *artefact, f *manifests.File) error {
	fields, rows, err := quickFooter(r)
	if err != nil {
		return err
	}
	schema := string(find(fields, fileSchema))
	known, ok := a.schemas.Load(schema)
	if !ok {
		if err := a.checkRows(r, x, f); err != nil {
			return err
		}
		known, _ = a.schemas.LoadOrStore(schema, x.columns)
	}
	if rows != f.RowsKept {
		return fmt.Errorf("%d rows, the run manifest has %d", rows, f.RowsKept)
	}
	x.columns = known.(map[string]string)
	return nil
}

// quickManifest holds the footer of exclusions, or of a subject index, against the run manifest. It returns the number of its rows.
func quickManifest(r *watched, dataset string, f *manifests.File) (rows int64, err error) {
	fields, rows, err := quickFooter(r)
	if err != nil {
		return 0, err
	}
	pairs, err := keyValuesOf(fields)
	if err != nil {
		return 0, err
	}
	named := map[string]string{}
	for _, p := range pairs {
		named[p.key] = p.value
	}
	if named["assent.dataset"] != dataset || named["assent.source"] != f.Source {
		return 0, errors.New("its metadata names another data set or source")
	}
	return rows, nil
}

func quickExclusions(r *watched, dataset string, f *manifests.File) error {
	rows, err := quickManifest(r, dataset, f)
	if want := f.ExcludedByReason.Total(); err == nil && rows != want {
		err = fmt.Errorf("%d exclusions, the run manifest has %d", rows, want)
	}
	return err
}
