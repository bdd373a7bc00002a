module github.com/starling-fuota/starling

go 1.26
