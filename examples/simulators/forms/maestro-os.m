Layer @id@ {
Type: CONV
Stride { X: @stride_x@, Y: @stride_y@ }
Dimensions { K: @K@, C: @C@, R: @R@, S: @S@, Y: @Y@, X: @X@ }
Dataflow {
TemporalMap(1,1) K;
SpatialMap(Sz(R),1) Y;
TemporalMap(@tile@,@lanes@) X;
TemporalMap(1,1) C;
TemporalMap(Sz(R),Sz(R)) R;
TemporalMap(Sz(S),Sz(S)) S;
Cluster(@lanes@, P);
SpatialMap(Sz(S),1) X;
TemporalMap(Sz(R),Sz(R)) R;
TemporalMap(Sz(S),Sz(S)) S;
}
}
