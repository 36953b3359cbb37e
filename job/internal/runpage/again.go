package runpage

import "assent/manifests"

// Again makes the report from a run manifest, its digest, and the bytes of daily.csv.
func Again(run *manifests.Run, digest string, daily []byte) ([]byte, error) {
	counts, err := manifests.ParseDaily(daily)
	if err != nil {
		return nil, err
	}
	return Page(run, digest, counts)
}
