Layer @id@ {
Type: CONV
Stride { X: @stride_x@, Y: @stride_y@ }
Dimensions { K: @K@, C: @C@, R: @R@, S: @S@, Y: @Y@, X: @X@ }
Dataflow {
SpatialMap(1,1) K;
TemporalMap(@lanes@,@lanes@) C;
TemporalMap(Sz(R),Sz(R)) R;
TemporalMap(Sz(S),Sz(S)) S;
TemporalMap(Sz(R),1) Y;
TemporalMap(Sz(S),1) X;
Cluster(@lanes@, P);
SpatialMap(1,1) C;
TemporalMap(Sz(R),1) Y;
TemporalMap(Sz(S),1) X;
TemporalMap(Sz(R),Sz(R)) R;
TemporalMap(Sz(S),Sz(S)) S;
}
}
