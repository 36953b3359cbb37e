// Package redact replaces, in text, what lets a person be reached or found off the platform by its kind in brackets:
//
//   - [email]: e-mail addresses
//   - [phone]: telephone numbers
//   - [link]: links to websites, forms, shops and applications, with or without a scheme
//   - [handle]: names in messengers and social networks
//
// Also as people disguise them: "name at domain dot com", digits with spaces between them or as words, full-width
// letters, characters without a width, several languages. Code, prices, dates, versions, hashes, UUIDs, ISBNs, IP
// addresses, file names, package paths and annotations are left as they are. Postal addresses are not looked for: no
// rule for them holds the precision.
//
// Its words:
//
//   - view: the text as the rules see it: full-width and styled letters and digits of any script as ASCII, without
//     characters that have no width. Each byte knows where it came from.
//   - cue: a word that says what follows: "phone", "mail me", "website". Where a cue stands near, looser forms count.
//   - label: the name of a messenger or network ("skype"), beside which a handle stands.
//   - vocabulary: cues, labels and the words that stand for "@", "." and digits, by language.
//
// The calling codes in calling.txt are those of libphonenumber, the top-level domains those of xurls. The libraries
// themselves are not in the hot loop: libphonenumber takes 29 µs a candidate and 6 ms at every start of the program.
package redact
