// Package settings fills one struct with a program's configuration: its
// defaults, then a YAML file, then the environment (HB_…), then flags. Each
// scalar of the struct has one name in all of them:
//
//	yaml                 environment            flag
//	reportEvery          HB_REPORT_EVERY        --report-every
//	limits.beats         HB_LIMITS_BEATS        --limits-beats
//	regions[0].address   HB_REGIONS_0_ADDRESS   --regions-0-address
//
// Names come from the field's yaml tag, explanations from its help tag. What
// the file says and the struct does not know is an error with file, line and
// key. Program is the frame of a command line around it.
package settings
