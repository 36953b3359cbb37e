package run

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"assent/job"
	"assent/job/internal/config"
	"assent/job/internal/consent"
	"assent/job/internal/objstore"
	"assent/job/internal/publish"
	"assent/job/internal/source"
	"assent/manifests"
	"assent/schema"
)

// planVersion is the version of plan documents and of shards' results. A step takes no
// other.
const planVersion = 2

// Plan is the first step's result: what the run reads, under which rules, what it is
// called, and into which shards the work is cut. It is plain data, so that other machines
// can take the next steps by it. It has no time and no chance in it: the same job on the
// same inputs has the same plan.
type Plan struct {
	Version       int               `json:"schema_version"`
	Tool          string            `json:"tool_version"` // of the program; all steps are of one
	RunID         string            `json:"run_id"`
	Program       config.Program    `json:"program"`
	PolicyDigest  string            `json:"policy_digest"`
	Gates         config.Gates      `json:"gates"`
	KeyFile       string            `json:"subject_key_file"`             // as configured; empty: ASSENT_SUBJECT_KEY
	Pseudonyms    string            `json:"pseudonym_key,omitempty"`      // the reference of the key that they are made by; empty: none are made
	PseudonymFile string            `json:"pseudonym_key_file,omitempty"` // as configured; empty: ASSENT_PSEUDONYM_KEY
	SigningFile   string            `json:"signing_key_file"`             // as KeyFile; empty: ASSENT_SIGNING_KEY, if that is set
	Horizon       schema.Instant    `json:"horizon"`
	RequestsAsOf  schema.Instant    `json:"requests_as_of"` // the newest deletion request; schema.Unknown without a ledger
	Inputs        []manifests.Input `json:"inputs"`         // every file, control inputs first, then data sets
	Controls      []File            `json:"controls"`       // the files of the control inputs, as the first of Inputs
	Datasets      []Dataset         `json:"datasets"`
	BlockRows     int64             `json:"block_rows"` // see source.Blocks
	Shards        []Shard           `json:"shards"`
	Index         consent.Objects   `json:"index"`
	Sources       Sources           `json:"sources"` // for lineage
}

// Dataset is a data set as the plan has settled it against its files.
type Dataset struct {
	schema.Dataset
	Root         string // URI of the store that its files are in
	Files        []File
	KeepMetadata []string // keys of the files' metadata to keep although they may hold values
	Reuse        *Reuse   `json:",omitempty"` // what is taken over from an earlier run; nil: nothing
}

// File is one input file.
type File struct {
	Object   objstore.Object // as it was found, below the data set's Root
	Root     string          `json:",omitempty"` // of a control input's file: the URI that Object is below
	Rel      string          // path below the data set's root; the output has the same
	Identity string          // of its content; see [objstore.Store.Identity]
	Rows     int64
	// Pieces are what a large file is cut into. Each is staged by itself, and its manifests begin anew: what is published depends on
	// the pieces and not on the shards that they are in. A file without pieces is one.
	Pieces []source.Piece `json:",omitempty"`
}

// Reuse is the outcome of files, or of blocks of files, in an earlier run that is provably what it would be in this one. Commit takes
// the objects of whole files over; shards take blocks over. Commit adds the counts of both up.
type Reuse struct {
	Run    string        // the earlier run's id
	Result DatasetResult // of these files and blocks, as a shard would have it; Files are whole ones
	Parts  []TakenPart   `json:",omitempty"` // files of which some blocks are taken over, by source
	// Whole says that these are all files of both runs, so that the earlier run's footprints are this one's.
	Whole bool `json:",omitempty"`
}

// TakenPart is what is taken over of a file that is done anew otherwise.
type TakenPart struct {
	Source string
	Blocks []TakenBlock // in order
	// Touched are the file's other blocks, in order. They are decided anew; where they keep the rows that they kept, their data is taken over.
	Touched []TakenBlock `json:",omitempty"`
}

// TakenBlock is a block that is taken over, or of which the data may be.
type TakenBlock struct {
	Facts manifests.BlockFacts
	First int64  // row of the file, from 0
	At    [3]int // the first of its row groups in each of the earlier run's objects, in the order of objectsOf
}

// part returns what is taken over of a file that is done anew otherwise; nil where nothing is.
func (r *Reuse) part(source string) *TakenPart {
	if r == nil {
		return nil
	}
	at, found := slices.BinarySearchFunc(r.Parts, source, func(p TakenPart, source string) int { return strings.Compare(p.Source, source) })
	if !found {
		return nil
	}
	return &r.Parts[at]
}

// findBlock returns that of some blocks that begins at a row group; nil where there is none.
func findBlock(blocks []TakenBlock, from int) *TakenBlock {
	at, found := slices.BinarySearchFunc(blocks, from, func(b TakenBlock, from int) int { return cmp.Compare(b.Facts.From, from) })
	if !found {
		return nil
	}
	return &blocks[at]
}

// holds reports whether rows of the file, from one to another, are all of one block that is taken over.
func (p *TakenPart) holds(from, to int64) bool {
	return p != nil && slices.ContainsFunc(p.Blocks, func(b TakenBlock) bool { return from >= b.First && to < b.First+b.Facts.Rows })
}

// taken returns the files of the data set that are taken over, by source.
func (d *Dataset) taken() map[string]*manifests.File {
	taken := map[string]*manifests.File{}
	if d.Reuse != nil {
		for i := range d.Reuse.Result.Files {
			f := &d.Reuse.Result.Files[i]
			taken[f.Source] = f
		}
	}
	return taken
}

// Shard is the part of a plan that is done, or done again, as a whole.
type Shard struct {
	Parts []Part
}

// Part is one input file, or a piece of one, by its places in the plan.
type Part struct{ Dataset, File, Piece int }

// pieces returns how many parts the file has.
func (f *File) pieces() int { return max(1, len(f.Pieces)) }

// piece returns a part of the file. To is 0 where it has all row groups.
func (f *File) piece(i int) source.Piece {
	if len(f.Pieces) == 0 {
		return source.Piece{Rows: f.Rows, Bytes: f.Object.Size}
	}
	return f.Pieces[i]
}

// file returns the file that a part is of.
func (p *Plan) file(part Part) *File { return &p.Datasets[part.Dataset].Files[part.File] }

// piece returns the row groups and rows of a part.
func (p *Plan) piece(part Part) source.Piece { return p.file(part).piece(part.Piece) }

// Objects of a plan, below its directory.
const (
	planObject = "plan.json"
	resultsDir = "results"
	stagedDir  = "staged"
	joinedDir  = "joined" // files that were cut, in one piece again
	sealDir    = "seal"   // what speaks of the run as a whole, and the marker
)

func planDir(id string) string { return path.Join(publish.PlanDir, id) }

func resultObject(id string, shard int) string {
	return path.Join(planDir(id), resultsDir, fmt.Sprintf("%05d.json", shard))
}

// marshal returns the document of the plan.
func (p *Plan) marshal() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(p)
	return append(data, '\n'), err
}

// parseStrictly reads a document that this program wrote itself: all that it holds must
// be known.
func parseStrictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the document")
	}
	return nil
}

func parsePlan(data []byte) (*Plan, error) {
	p := new(Plan)
	if err := parseStrictly(data, p); err != nil {
		return nil, err
	}
	return p, p.check()
}

// check holds a plan against itself: every file of a data set is in exactly one shard, or
// is taken over.
func (p *Plan) check() error {
	if p.Version != planVersion {
		return fmt.Errorf("schema_version %d is not known; this program reads %d", p.Version, planVersion)
	}
	if !publish.CompleteID.MatchString(p.RunID) {
		return errors.New("run_id is not a run's id")
	}
	open := map[Part]bool{}
	inputs := p.Inputs
	claim := func(f *File, dataset string) error {
		if len(inputs) == 0 || inputs[0].Dataset != dataset || inputs[0].Identity != f.Identity || inputs[0].Rows != f.Rows || inputs[0].Bytes != f.Object.Size {
			return fmt.Errorf("%s: it is not what the list of inputs says", f.Object.Name)
		}
		inputs = inputs[1:]
		return nil
	}
	for i := range p.Controls {
		if err := claim(&p.Controls[i], ""); err != nil {
			return err
		}
	}
	for i := range p.Datasets {
		d := &p.Datasets[i]
		taken := d.taken()
		for j := range d.Files {
			f := &d.Files[j]
			if !fs.ValidPath(path.Join(d.Name, f.Rel)) || !fs.ValidPath(f.Rel) || f.Rows < 0 {
				return fmt.Errorf("data set %q: %q is no file of it", d.Name, f.Rel)
			}
			if err := claim(f, d.Name); err != nil {
				return err
			}
			if err := f.checkPieces(); err != nil {
				return fmt.Errorf("data set %q: %s: %w", d.Name, f.Rel, err)
			}
			for n := range f.pieces() {
				open[Part{i, j, n}] = taken[f.Rel] == nil
			}
			delete(taken, f.Rel)
		}
		if len(taken) > 0 {
			return fmt.Errorf("data set %q: files are taken over that it does not have", d.Name)
		}
	}
	if len(inputs) > 0 {
		return errors.New("inputs has files that are in no data set")
	}
	return p.checkShards(open)
}

// checkShards wants every part that is open in exactly one shard.
func (p *Plan) checkShards(open map[Part]bool) error {
	for i, s := range p.Shards {
		for _, part := range s.Parts {
			if !open[part] {
				return fmt.Errorf("shard %d has a file that another one has, or none", i)
			}
			open[part] = false
		}
	}
	for part, missing := range open {
		if missing {
			return fmt.Errorf("data set %q: %s: it is in no shard", p.Datasets[part.Dataset].Name, p.file(part).Rel)
		}
	}
	return nil
}

// checkPieces wants the pieces to be all of the file, one behind the other.
func (f *File) checkPieces() error {
	group, row := 0, int64(0)
	for _, p := range f.Pieces {
		if p.From != group || p.To <= p.From || p.First != row || p.Rows < 0 || p.Bytes < 0 {
			return errors.New("its pieces do not follow each other")
		}
		group, row = p.To, row+p.Rows
	}
	if len(f.Pieces) > 0 && row != f.Rows {
		return errors.New("its pieces are not all of it")
	}
	return nil
}

// madeFor reports an error where the plan is not one for the subject key, or is of another
// version of the program.
func (p *Plan) madeFor(key *manifests.Key, version string) error {
	if p.Tool != version {
		return job.UsageError("run plan, shard and commit with one version of the program", "the plan is by version %s of the program, this is %s", p.Tool, version)
	}
	if manifests.RunID(p.PolicyDigest, p.Horizon.Time(), p.Inputs, key) != p.RunID {
		return job.UsageError("give all steps the subject key that the plan was made with", "the plan is not what its id says, or was made with another subject key")
	}
	return nil
}

// readPlan returns a plan and the digest of its document; nil where there is none.
func readPlan(ctx context.Context, out objstore.Store, id string) (*Plan, string, error) {
	name := path.Join(planDir(id), planObject)
	data, _, err := out.Read(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	p, err := parsePlan(data)
	if err == nil && p.RunID != id {
		err = fmt.Errorf("it is the plan of run %s", p.RunID)
	}
	if err != nil {
		return nil, "", job.UsageError("plan again", "%s: %w", out.URI(name), err)
	}
	return p, manifests.SHA256(data), nil
}
