package run

import (
	"slices"
	"testing"

	"assent/job/internal/config"
	"assent/job/internal/source"
	"assent/schema"
)

// TestRawRoles: a column of a role is handed over as it is unless it, or a struct or list around it, is left out or pseudonymised.
func TestRawRoles(t *testing.T) {
	for name, tt := range map[string]struct {
		handover schema.Handover
		raw      []string
	}{
		"nothing is pseudonymised": {schema.Handover{Drop: []string{"sender"}}, nil},
		"the others are":           {schema.Handover{Pseudonymise: []string{"sender"}}, []string{"d.parties.client_id", "d.ids"}},
		"one is dropped":           {schema.Handover{Pseudonymise: []string{"sender", "ids"}, Drop: []string{"parties.client_id"}}, nil},
		"its struct is dropped":    {schema.Handover{Pseudonymise: []string{"sender", "ids"}, Drop: []string{"parties"}}, nil},
		"another begins alike":     {schema.Handover{Pseudonymise: []string{"sender", "ids"}, Drop: []string{"part", "parties.client"}}, []string{"d.parties.client_id"}},
		"its elements are":         {schema.Handover{Pseudonymise: []string{"sender", "ids.list.element", "parties.client_id"}}, nil},
		"its struct is kept":       {schema.Handover{Pseudonymise: []string{"sender"}, Keep: []string{"parties", "sender"}}, []string{"d.parties.client_id"}},
		"it is not kept":           {schema.Handover{Pseudonymise: []string{"sender"}, Keep: []string{"sender", "text"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := &source.DatasetInput{DatasetConfig: config.DatasetConfig{Dataset: schema.Dataset{Name: "d", Handover: tt.handover,
				Parties:  []schema.Role{{Name: "client", Column: "parties.client_id"}},
				Subjects: []schema.Role{{Name: "participant", Column: "ids"}, {Name: "sender", Column: "sender"}}}}}
			if got := rawRoles([]*source.DatasetInput{d}); !slices.Equal(got, tt.raw) {
				t.Errorf("%q, want %q", got, tt.raw)
			}
		})
	}
}
