// Package wire is what the two regions say to each other, and how it is
// written: the questions, the forwards, their answers, and the mail that
// carries them through the table where HTTPS fails. It is pure. Every decoder
// refuses what is not valid, and ignores the fields of a newer version.
package wire
