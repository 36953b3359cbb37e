// Package rewrite writes a Parquet file without some of its rows, moving encoded bytes as far as it can.
package rewrite
