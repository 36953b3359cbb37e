package config

import (
	"assent/manifests"
	"assent/schema"
)

// policyDigest is the SHA-256 of all of the configuration that a run's outcome
// depends on: not where things are, but what they mean.
func (c *Config) Digest() string {
	type dataset struct {
		schema.Dataset
		Category string
	}
	var datasets []dataset
	for _, d := range c.Datasets {
		datasets = append(datasets, dataset{d.Dataset, d.Category.String()})
	}
	columns := func(cs ...Column) (out []string) {
		for _, c := range cs {
			out = append(out, c.Path)
		}
		return out
	}
	in := map[string]any{
		"consent": columns(c.Consent.Account, c.Consent.Category, c.Consent.State, c.Consent.EffectiveAt, c.Consent.Sequence),
	}
	if d := c.Deletions; d != nil {
		in["deletions"] = columns(d.Account, d.RequestedAt, d.Request)
	}
	if r := c.Restrictions; r != nil {
		in["restrictions"] = columns(r.Contract, r.From, r.Until)
	}
	if a := c.Accounts; a != nil {
		in["accounts"] = columns(a.Account)
	}
	return manifests.Digest(map[string]any{
		"program": c.Program, "columns": in, "datasets": datasets, "gates": c.Gates,
		"states": c.Consent.States, "categories": c.Consent.Categories, "ignored": c.Consent.Ignored,
		"assume_utc": []bool{c.Consent.AssumeUTC, c.Deletions != nil && c.Deletions.AssumeUTC, c.Restrictions != nil && c.Restrictions.AssumeUTC},
	})
}
