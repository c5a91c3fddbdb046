// Package table is what a region remembers: the items of the one table that
// both regions share, their keys, and how readers join what two regions wrote.
//
// Every sort key begins with the region that writes it, so no item has two
// writers and last-writer-wins has nothing to lose; readers join the regions'
// items, and the join is the same in any order. The package holds no I/O:
// Table is implemented by cloud/local and cloud/dynamo.
//
//	what            pk                  sk
//	presence        presence#<b>        <region>#<store>
//	direct host     direct#<b>          <region>#<store>#<host>
//	incident        inc#<b>             <region>#<store>#<id>
//	notice          notice#<UTC hour>   <region>#<ulid>
//	history         hist#<store>#<day>  <region>#<incarnation>#<number>
//	lease           lease               <region>
//	mail            mail#<to>           <region>#<term>#<number>
//	keys            set#<b>             <region>#key#<id>
//	settings        set#<b>#op          <region>#<kind>#<id>
//	what changed    set#head            <region>
//	audit           audit#<UTC day>     <region>#<ulid>
//
// b is hash(store or id) mod Buckets: a node that starts reads Buckets partitions,
// and none of them is hot.
package table
