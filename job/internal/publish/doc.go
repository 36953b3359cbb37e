// Package publish is the output of a job: it finds the runs that are published there,
// opens them for reading, and makes one of them current.
//
//   - output: the directory or bucket prefix that the configuration names. It belongs to
//     one programme.
//   - run: a directory run=<id> below the output. It is published once its marker,
//     _SUCCESS, is there. The marker names the SHA-256 of the run manifest, and the run
//     manifest names size and SHA-256 of the run's other objects.
//   - current.json: names the run that readers should take.
//   - damaged: a run is damaged where its objects are not as they were published. A
//     repeat would find the same. All other errors may pass by themselves.
//   - erased: a run is erased where it was removed because of deletion requests. Its
//     manifest stays below _erased as evidence.
//   - pruned: a run is pruned where it was removed because of its age. Its manifest stays
//     below _pruned as evidence.
//   - hold: an object that keeps a run from being pruned until it expires.
package publish
