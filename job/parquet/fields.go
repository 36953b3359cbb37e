package parquet

// The numbers of parquet.thrift by which fields of the metadata are read and written.

// Field ids of FileMetaData.
const (
	FileVersion = iota + 1
	FileSchema
	FileNumRows
	FileRowGroups
	FileKeyValues
	FileCreatedBy
	FileColumnOrders
	FileEncryption
	FileFooterSigningKey
)

// Field ids of RowGroup.
const (
	GroupColumns = iota + 1
	GroupTotalByteSize
	GroupNumRows
	GroupSortingColumns
	GroupFileOffset
	GroupTotalCompressedSize
	GroupOrdinal
)

// Field ids of ColumnChunk.
const (
	ChunkFilePath = iota + 1
	ChunkFileOffset
	ChunkMetaData
	ChunkOffsetIndexOffset
	ChunkOffsetIndexLength
	ChunkColumnIndexOffset
	ChunkColumnIndexLength
	ChunkCrypto
	ChunkEncryptedMetaData
)

// Field ids of ColumnMetaData.
const (
	MetaType = iota + 1
	MetaEncodings
	MetaPath
	MetaCodec
	MetaNumValues
	MetaTotalUncompressedSize
	MetaTotalCompressedSize
	MetaKeyValues
	MetaDataPageOffset
	MetaIndexPageOffset
	MetaDictionaryPageOffset
	MetaStatistics
	MetaEncodingStats
	MetaBloomFilterOffset
	MetaBloomFilterLength
	MetaSizeStatistics
	MetaGeospatialStatistics
)

// Field ids of Statistics.
const (
	StatsMax = iota + 1
	StatsMin
	StatsNullCount
	StatsDistinctCount
	StatsMaxValue
	StatsMinValue
	StatsMaxExact
	StatsMinExact
)

// Field ids of SchemaElement.
const (
	ElementType = iota + 1
	ElementTypeLength
	ElementRepetition
	ElementName
	ElementNumChildren
	ElementConverted
	ElementScale
	ElementPrecision
	ElementFieldID
	ElementLogical
)
